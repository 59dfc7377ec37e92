/**
 * Builds what a release contains: the controller and the policy worker as bundles in pieces, the agent as it travels, the authors' types.
 * Invariant: dist/ holds exactly what this run made; an agent above its limit fails the build.
 * Never bundles a package without passing on its licence, nor one that package.json has users install.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { bundleAgent, packAgent } from '../reconciler/connection/agent-bundle.ts';
import { licencesOf } from './third-party.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const agentLimit = 100_000;

/** CommonJS packages in a bundle ask for Node's modules by this name. */
const banner = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`;

/** File in dist → the source it is made of. */
const bundles: Readonly<Record<string, string>> = {
  'main.js': 'reconciler/main.ts',
  'policy-worker.js': 'reconciler/policy/worker.ts',
  'policy-watch.js': 'reconciler/policy/worker-watch.ts',
};

/** What npm installs beside a release: packages that start programs or read files of their own. */
function beside(): string[] {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.keys(dependencies);
}

function refuseMissing(sources: readonly string[]): void {
  const missing = sources.filter((source) => !existsSync(join(root, source)));
  if (missing.length > 0) throw new Error(`cannot build: ${missing.join(', ')} is not there`);
}

async function buildController(): Promise<void> {
  const built = await build({
    absWorkingDir: root,
    entryPoints: Object.entries(bundles).map(([out, source]) => ({
      in: source,
      out: out.replace(/\.js$/, ''),
    })),
    outdir: dist,
    bundle: true,
    // What is imported on demand stays on demand.
    splitting: true,
    external: beside(),
    banner: { js: banner },
    platform: 'node',
    target: 'node24',
    format: 'esm',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  const pieces = Object.values(built.metafile.outputs);
  const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  report('dist/*.js', `${bytes} bytes in ${pieces.length} pieces`);
  writeFileSync(join(dist, 'LICENCES.txt'), licencesOf(built.metafile, root));
}

async function buildAgent(): Promise<void> {
  const { code, compressed, size } = await packAgent(await bundleAgent(join(root, 'agent/main.ts')));
  writeFileSync(join(dist, 'agent.cjs'), code);
  report('dist/agent.cjs', `${size} bytes, ${compressed.length} compressed (limit ${agentLimit})`);
  if (size > agentLimit) throw new Error(`the agent has ${size} bytes; it may have ${agentLimit}`);
}

/** The declarations that authors' editors read; their generator belongs to the policy part. */
async function buildTypes(): Promise<void> {
  const generator = join(root, 'scripts/generate-types.ts');
  refuseMissing(['scripts/generate-types.ts']);
  await import(pathToFileURL(generator).href);
  report('types/', 'written');
}

function report(what: string, how: string): void {
  process.stdout.write(`${what}: ${how}\n`);
}

async function main(): Promise<void> {
  refuseMissing([...Object.values(bundles), 'agent/main.ts']);
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  await buildController();
  await buildAgent();
  await buildTypes();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
