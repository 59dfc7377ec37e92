/**
 * Holds the table of which part may import which.
 * Invariant: the table below is the only place that grants an import between parts.
 * Never grants by listing single files, but for the contract files of the reconciler, which carry types only.
 */

import { builtinModules } from 'node:module';
import { describe, expect, it } from 'vitest';
import { circles, type Import, loadedWith, present, type SourceFile, sourceFiles } from './source-files.ts';

const files = sourceFiles('agent', 'inventory', 'reconciler');

/** Files of the reconciler that describe what parts hand to each other; anyone in it may import their types. */
const contracts = [
  'reconciler/policy/environment.ts',
  'reconciler/policy/model.ts',
  'reconciler/source/snapshot.ts',
  'reconciler/state/store.ts',
  'reconciler/connection/session.ts',
];

/** Part → what it may import, its own files apart. The longest part that fits a file counts. */
const table: Readonly<Record<string, readonly string[]>> = {
  'agent/protocol/': [],
  'agent/': ['agent/'],
  'inventory/': ['agent/protocol/'],
  'reconciler/': ['reconciler/', 'inventory/', 'agent/protocol/'],
  'reconciler/base/': ['agent/protocol/', 'inventory/'],
  'reconciler/plan/': ['reconciler/base/', 'agent/protocol/', 'inventory/'],
  'reconciler/source/': ['reconciler/base/', 'agent/protocol/', 'inventory/'],
  'reconciler/state/': ['reconciler/base/', 'agent/protocol/', 'inventory/'],
  'reconciler/report/': ['reconciler/base/', 'agent/protocol/', 'inventory/'],
};

function partOf(path: string): string {
  const parts = Object.keys(table).filter((part) => path.startsWith(part));
  return parts.sort((a, b) => b.length - a.length)[0] ?? '';
}

function allowed(file: SourceFile, one: Import): boolean {
  const target = one.target ?? '';
  const part = partOf(file.path);
  if (part.startsWith('reconciler/') && one.typeOnly && contracts.includes(target)) return true;
  return [part, ...(table[part] ?? [])].some((granted) => target.startsWith(granted));
}

/** Names of Node's modules that work without the prefix. */
const plainNames = builtinModules.filter((name) => !name.startsWith('node:'));

/** Modules through which code reaches the world outside its arguments. */
const effects =
  /^node:(fs|net|http|https|http2|tls|dns|dgram|child_process|worker_threads|cluster|os|process|timers|readline|sqlite|inspector)(\/|$)/;

describe('imports', () => {
  it('point one way between the parts', () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .filter((one) => one.target !== undefined && !allowed(file, one))
        .map((one) => `${file.path} imports ${one.target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('never form a circle', () => {
    expect(circles(files).map((circle) => circle.join(' → '))).toEqual([]);
  });

  it('name files that exist, with their ending', () => {
    const broken = files.flatMap((file) =>
      file.imports
        .filter((one) => one.target !== undefined && !present(one.target))
        .map((one) => `${file.path} imports ${one.specifier}`),
    );
    expect(broken).toEqual([]);
  });

  it('bring no package into the agent but zod/mini', () => {
    const packages = files
      .filter((file) => file.path.startsWith('agent/'))
      .flatMap((file) => file.imports.filter((one) => one.target === undefined))
      .map((one) => one.specifier)
      .filter((name) => !name.startsWith('node:') && name !== 'zod/mini');
    expect(packages).toEqual([]);
  });

  it('name the modules of Node by their prefix', () => {
    const plain = files.flatMap((file) =>
      file.imports.filter((one) => plainNames.includes(one.specifier)).map(() => file.path),
    );
    expect(plain).toEqual([]);
  });

  it('give planning no way to read or write anything', () => {
    const plan = files.filter((file) => file.path.startsWith('reconciler/plan/'));
    expect(plan.length).toBeGreaterThan(0);
    const reaching = plan.flatMap((file) =>
      file.imports
        .filter((one) => !one.typeOnly && effects.test(one.specifier))
        .map((one) => `${file.path} imports ${one.specifier}`),
    );
    expect(reaching).toEqual([]);
  });

  it('let apply begin without the packages that only connecting, drawing or bundling needs', () => {
    const loaded = loadedWith('reconciler/cli/commands/apply.ts', files);
    expect(loaded.map(({ path }) => path)).toContain('reconciler/connection/pool.ts');
    const heavy = loaded.flatMap((file) =>
      file.imports
        .filter((one) => !one.typeOnly && !one.onDemand)
        .filter((one) => ['ssh2', 'log-update', 'esbuild', 'pino'].includes(one.specifier))
        .map((one) => `${file.path} imports ${one.specifier}`),
    );
    expect(heavy).toEqual([]);
  });

  it('lead into the command line only from the entry', () => {
    const others = files.filter(
      (file) => !file.path.startsWith('reconciler/cli/') && file.path !== 'reconciler/main.ts',
    );
    const wrong = others.filter((file) =>
      file.imports.some((one) => one.target?.startsWith('reconciler/cli/')),
    );
    expect(wrong.map((file) => file.path)).toEqual([]);
  });
});
