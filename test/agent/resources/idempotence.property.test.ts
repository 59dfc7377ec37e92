import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeKey } from '../../../agent/protocol/change.ts';
import type { Kind } from '../../../agent/protocol/kind.ts';
import { ProblemError } from '../../../agent/protocol/problem.ts';
import { blockResource } from '../../../agent/resources/block.ts';
import { directoryResource } from '../../../agent/resources/directory.ts';
import { fileResource } from '../../../agent/resources/file.ts';
import { lineResource } from '../../../agent/resources/line.ts';
import { linkResource } from '../../../agent/resources/link.ts';
import type { Resource } from '../../../agent/resources/resource.ts';
import { applying, type TestHost, testHost } from '../test-host.ts';

type Node = {
  readonly name: string;
  readonly type: 'f' | 'd' | 'l';
  readonly text: string;
  readonly mode: number;
};

const names = fc.constantFrom('a', 'b', 'a/b', 'a/c', 'b/a', 'b/a/c');
const modes = fc.constantFrom('0600', '0644', '0755', '4755', '2770');
const ends = fc.constantFrom('\n', '\r\n', '');
const someLine = fc.constantFrom('', 'x=1', 'x=2', 'y', '# B', '# E', 'é');
const text = fc
  .array(fc.tuple(someLine, fc.constantFrom('\n', '\r\n')), { maxLength: 6 })
  .chain((lines) => fc.tuple(fc.constant(lines.map(([line, end]) => line + end).join('')), someLine, ends))
  .map(([start, last, end]) => start + last + end);
const tree = fc.array(
  fc.record<Node>({
    name: names,
    type: fc.constantFrom('f', 'f', 'd', 'd', 'l'),
    text,
    mode: fc.constantFrom(0o600, 0o644, 0o755),
  }),
  { maxLength: 7 },
);
const flag = fc.constantFrom(undefined, true);
const state = fc.constantFrom('present', 'present', 'present', 'absent');
const ownership = { mode: fc.option(modes, { nil: undefined }) };

const wantedByKind = {
  file: fc.record({
    state,
    content: fc.option(text, { nil: undefined }),
    createOnly: flag,
    backup: flag,
    ...ownership,
  }),
  directory: fc.record({
    state,
    tree: fc.uniqueArray(
      fc.record({ path: fc.constantFrom('a', 'c', 'd/e', 'd/f/g'), content: text, mode: modes }),
      {
        selector: (entry) => entry.path,
      },
    ),
    purge: flag,
    force: flag,
    ...ownership,
  }),
  link: fc.record({ state, target: fc.constantFrom('t', '../t'), force: flag }),
  line: fc.record({
    state,
    line: someLine,
    match: fc.constantFrom(undefined, '^x', 'y', '^$'),
    after: fc.constantFrom(undefined, '^x'),
    before: fc.constantFrom(undefined, 'y$'),
    create: flag,
    ...ownership,
  }),
  block: fc.record({
    state,
    block: fc.array(fc.constantFrom('x=1', '', 'é'), { maxLength: 3 }).map((lines) => lines.join('\n')),
    begin: fc.constant('# B'),
    end: fc.constant('# E'),
    after: fc.constantFrom(undefined, '^x'),
    create: flag,
    ...ownership,
  }),
};

const resources = {
  file: fileResource,
  directory: directoryResource,
  link: linkResource,
  line: lineResource,
  block: blockResource,
} as unknown as Record<keyof typeof wantedByKind, Resource<Kind>>;

/** Lays out what can be laid out; names that clash are left out. */
function layOut(host: TestHost, nodes: readonly Node[]): void {
  for (const node of nodes) {
    try {
      mkdirSync(host.path(dirname(node.name)), { recursive: true });
      if (node.type === 'd') mkdirSync(host.path(node.name));
      else if (node.type === 'l') symlinkSync('nowhere', host.path(node.name));
      else writeFileSync(host.path(node.name), node.text, { flag: 'wx' });
      if (node.type !== 'l') chmodSync(host.path(node.name), node.mode);
    } catch {
      // A clash with an earlier node: the tree is as random without it.
    }
  }
}

/** Texts become contents; the path goes below the host's root. */
function prepare(host: TestHost, name: string, wanted: Record<string, unknown>): never {
  const put = (value: unknown): unknown =>
    typeof value === 'string' ? host.contents.put(value, value.length % 2 === 0) : value;
  const entries = wanted.tree as { content: string }[] | undefined;
  return {
    ...wanted,
    path: host.path(name),
    ...('content' in wanted && { content: put(wanted.content) }),
    ...(entries && { tree: entries.map((entry) => ({ ...entry, content: put(entry.content) })) }),
  } as never;
}

async function settles(resource: Resource<Kind>, host: TestHost, wanted: never): Promise<void> {
  const before = host.listing();
  let announced: Awaited<ReturnType<Resource<Kind>['check']>>;
  try {
    announced = await resource.check(host.reader, wanted, applying);
  } catch (error) {
    expect(error).toBeInstanceOf(ProblemError);
    expect(host.listing()).toEqual(before);
    return;
  }
  expect(host.listing()).toEqual(before);
  if ('unknown' in announced) throw new Error(announced.unknown);
  expect(new Set(announced.map(changeKey)).size).toBe(announced.length);
  if (announced.length === 0) return;
  await resource.apply(host.system, wanted, announced, applying);
  expect(host.listing()).not.toEqual(before);
  expect(await resource.check(host.reader, wanted, applying)).toEqual([]);
}

describe('the file-like kinds, on random trees', () => {
  it.each(Object.keys(wantedByKind) as (keyof typeof wantedByKind)[])(
    '%s: a check changes nothing, and after apply there is nothing left to do',
    async (kind) => {
      const host = testHost();
      await fc.assert(
        fc.asyncProperty(tree, names, wantedByKind[kind], async (nodes, name, wanted) => {
          await host.system.remove(host.path('t'), { recursive: true });
          await host.system.makeDirectory(host.path('t'), {});
          const below = { ...host, path: (...parts: string[]) => host.path('t', ...parts) };
          layOut(below, nodes);
          await settles(resources[kind], below, prepare(below, name, wanted));
        }),
        { numRuns: 120 },
      );
      host.remove();
    },
  );
});
