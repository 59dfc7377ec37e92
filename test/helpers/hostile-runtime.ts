/**
 * A runtime for `towline_runtime` that runs another program in the agent's place.
 * Invariant: the loader's first word and the code it reads are those of the real loader; only what it then runs is not the agent.
 * Never used outside tests.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { HostileScript } from './hostile-program.ts';

/** The text of the runtime: a shell script that runs the real loader and then this program. */
export function hostileRuntime(program: string, node = 'node'): string {
  return `#!/bin/sh
while [ "$1" != -e ]; do shift; done
exec ${node} -e '
require("vm").runInThisContext = () => () => require("${program}")
eval(Buffer.from(process.argv[1], process.argv[2]).toString())
' "$3" "$4"
`;
}

/** A runtime in `folder` whose program says what the script says; the script can be written anew between runs. */
export async function scriptedRuntime(
  folder: string,
): Promise<{ readonly runtime: string; write(script: HostileScript): void }> {
  const program = join(folder, 'hostile.cjs');
  const runtime = join(folder, 'hostile-node');
  const file = join(folder, 'script.json');
  await build({
    entryPoints: [join(import.meta.dirname, 'hostile-program.ts')],
    outfile: program,
    define: { SCRIPT_FILE: JSON.stringify(file) },
    ...{ bundle: true, platform: 'node', format: 'cjs', target: 'node18', logLevel: 'silent' },
  });
  writeFileSync(runtime, hostileRuntime(program, process.execPath), { mode: 0o755 });
  return { runtime, write: (script) => writeFileSync(file, JSON.stringify(script)) };
}
