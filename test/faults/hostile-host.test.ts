/**
 * A host that speaks the protocol to do harm: a program of the test stands where its Node should be.
 * Invariant: the reconciler drops it with a Problem, serves the other host, and no raw escape reaches a terminal.
 * The program answers the real bootstrap and speaks real frames; nothing of the reconciler is replaced.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { hostileRuntime } from '../helpers/hostile-runtime.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { createPolicy, roleText } from './policy.ts';
import { expectNoStack, expectProblem, Running, summaryOf, towline } from './towline.ts';

const reason = fleetAvailable();

/** What the program does after its hello, by the name of the role: see test/helpers/fixture-agent.ts. */
const misdeeds: Readonly<Record<string, string>> = {
  garbage: 'protocol.frame-too-large',
  oversized: 'protocol.frame-too-large',
  // Megabytes of answers to nothing: the first of them is one too many.
  flood: 'protocol.illegal-state',
  repeating: 'protocol.illegal-state',
  curious: 'blob.refused',
  generous: 'protocol.illegal-state',
  liar: 'protocol.bad-message',
};

describe.skipIf(reason !== undefined)(`a hostile host${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const directories = temporaryDirectories();
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await upFleet({ count: 2, names: ['bad', 'good'] });
    const bundle = join(directories(), 'hostile.cjs');
    await build({
      entryPoints: [join(import.meta.dirname, '../helpers/fixture-agent.ts')],
      outfile: bundle,
      ...{ bundle: true, platform: 'node', format: 'cjs', target: 'node18', logLevel: 'silent' },
    });
    const host = fleet.host('bad');
    await host.writeFile('/opt/hostile.cjs', readFileSync(bundle, 'utf8'));
    await host.writeFile('/opt/hostile-node', hostileRuntime('/opt/hostile.cjs'), '0755');
  });

  afterAll(async () => {
    await fleet?.down();
  });

  const policyFor = (role: string) =>
    createPolicy(directories(), fleet, {
      roles: { [role]: roleText(`file('/etc/${role}', { content: 'good' })`, "maxFailures: '100%',") },
      inventory: { hostVars: { bad: { towline_runtime: '/opt/hostile-node' } } },
    });

  for (const [misdeed, code] of Object.entries(misdeeds))
    it(`is dropped when it is ${misdeed}: ${code}`, async () => {
      const ended = await towline(['apply', '--json'], policyFor(misdeed), 30);
      expect(ended.status, ended.stdout).toBe(1);
      expect(expectProblem(ended, code).where).toMatchObject({ host: 'bad' });
      expect(summaryOf(ended)?.hosts.changed).toEqual(['good']);
      expect(await fleet.host('good').readFile(`/etc/${misdeed}`)).toBe('good');
    });

  it('cannot write escapes to a terminal or a log', async () => {
    const policy = createPolicy(directories(), fleet, {
      roles: {
        loud: roleText(
          `command('loud', { argv: ['printf', '\\\\033]0;title\\\\007\\\\033[2Jplain\\\\n'] }),
           command('fails', { argv: ['sh', '-c', 'printf "\\\\033[31mred\\\\007" >&2; exit 3'] })`,
          "maxFailures: '100%',",
        ),
      },
    });
    for (const argv of [['apply', '-vv'], ['run', '--once'], ['status'], ['show', '-vv']]) {
      const { stdout, stderr } = await new Running(argv, policy).end(30);
      expect(`${stdout}${stderr}`, argv.join(' ')).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
      expectNoStack({ stdout, stderr });
    }
    const { stdout } = await new Running(['apply', '-vv', '--json'], policy).end(30);
    expect(stdout).toContain(String.raw`\u001b[2Jplain`);
    expect(stdout).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f]/);
  });
});
