/**
 * One role's modules → one script, its source map and the exact files it was made of; straight from a snapshot.
 * Invariant: nothing outside the snapshot is read; an import of anything else is a problem at its place.
 * Never runs the code.
 */

import { posix } from 'node:path';
import type { Loader, Message, Plugin } from 'esbuild';
import { type Checked, type Problem, success } from '../../agent/protocol/problem.ts';
import { type PolicyProblemCode, policyProblem } from '../base/problem-codes/policy.ts';
import type { Snapshot } from '../source/snapshot.ts';

export interface RoleBundle {
  readonly code: string;
  readonly sourceMap: string;
  /** Paths of every module that was imported, directly or not, sorted. */
  readonly sources: readonly string[];
  /** Paths where an import would have found its module first, had there been one. */
  readonly vacant: readonly string[];
}

const namespace = 'policy';
const loaders: Readonly<Record<string, Loader>> = { '.ts': 'ts', '.js': 'js', '.mjs': 'js', '.json': 'json' };
const endings = ['', '.ts', '.js', '.json', '/index.ts'];

/** Bundles `entry`; every problem of it at once. */
export async function bundleRole(snapshot: Snapshot, entry: string): Promise<Checked<RoleBundle>> {
  const { build } = await import('esbuild');
  const vacant = new Set<string>();
  try {
    const result = await build({
      entryPoints: [entry],
      outfile: 'role.js',
      bundle: true,
      write: false,
      metafile: true,
      format: 'cjs',
      platform: 'neutral',
      target: 'es2024',
      charset: 'utf8',
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
      treeShaking: true,
      // Without this, unused imports would vanish from the graph and a change in them would go unnoticed.
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
      plugins: [snapshotPlugin(snapshot, vacant)],
    });
    const text = (ending: string): string =>
      result.outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
    const sources = Object.keys(result.metafile.inputs).map(policyPath).sort();
    return success({ code: text('role.js'), sourceMap: text('.map'), sources, vacant: [...vacant].sort() });
  } catch (failure) {
    const errors = (failure as { errors?: readonly Message[] }).errors;
    if (errors === undefined) throw failure;
    return { ok: false, problems: errors.map((error) => problemOf(error, entry)) };
  }
}

/** The path in the policy of a path as esbuild prints it. */
export function policyPath(path: string): string {
  return path.startsWith(`${namespace}:`) ? path.slice(namespace.length + 1) : path;
}

function snapshotPlugin(snapshot: Snapshot, vacant: Set<string>): Plugin {
  return {
    name: 'snapshot',
    setup(bundling) {
      bundling.onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        if (kind === 'entry-point') return { path: posix.normalize(path), namespace };
        if (path === 'towline') return { path, external: true };
        if (!path.startsWith('.')) return refused('policy.import-refused', `cannot import "${path}"`);
        const wanted = posix.join(posix.dirname(importer), path);
        if (wanted.startsWith('..')) {
          return refused('policy.import-refused', `"${path}" leads out of the policy`);
        }
        const found = endings
          .map((ending) => wanted + ending)
          .find((each) => snapshot.entries.has(each) || !vacant.add(each));
        if (found === undefined)
          return refused('policy.import-missing', `"${path}" does not exist (${wanted})`);
        if (loaders[posix.extname(found)] !== undefined) return { path: found, namespace };
        return refused('policy.import-refused', `"${path}" is neither .ts, .js nor .json`);
      });
      bundling.onLoad({ filter: /.*/, namespace }, async ({ path }) => ({
        contents: await snapshot.read(path),
        loader: loaders[posix.extname(path)] ?? 'ts',
      }));
    },
  };
}

function refused(
  code: PolicyProblemCode,
  text: string,
): { errors: { text: string; detail: PolicyProblemCode }[] } {
  return { errors: [{ text, detail: code }] };
}

function problemOf({ text, location, detail }: Message, entry: string): Problem {
  const where = {
    file: policyPath(location?.file ?? entry),
    ...(location === null ? {} : { line: location.line, column: location.column + 1 }),
  };
  const code = typeof detail === 'string' ? (detail as PolicyProblemCode) : 'policy.syntax';
  return policyProblem(code, text, { where });
}
