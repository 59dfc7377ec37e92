/**
 * Reads for facts: small files, existence, and what Node knows.
 * Invariant: at most `fileLimit` bytes a file and `listLimit` files a directory; what is missing or refused is simply not there.
 * Never opens what is not a regular file: a pipe would block.
 */

import { arch, hostname, networkInterfaces, release } from 'node:os';
import { threads } from '../system/at-once.ts';
import { ownAccount } from '../system/own-account.ts';
import { access, readdir } from '../system/platform.ts';
import { contentOf, reading } from '../system/reader.ts';
import type { Fact, NodeKnowledge, Observed } from './fact.ts';

const fileLimit = 1024 * 1024;
const listLimit = 200;

/** Everything one fact wants to see. `root` stands in front of each path. */
export async function observe(
  fact: Pick<Fact<never>, 'files' | 'probes'>,
  node: NodeKnowledge,
  root: string,
): Promise<Observed> {
  const [lists, present] = await Promise.all([
    Promise.all((fact.files ?? []).map((pattern) => expand(pattern, root))),
    Promise.all((fact.probes ?? []).map(async (path) => ((await exists(root + path)) ? [path] : []))),
  ]);
  const texts = await Promise.all(
    lists.flat().map(async (path) => [path, await readText(root + path)] as const),
  );
  return {
    files: Object.fromEntries(
      texts.filter((entry): entry is readonly [string, string] => entry[1] !== undefined),
    ),
    present: present.flat(),
    node,
  };
}

/** What Node knows of this host and this process. */
export function nodeKnowledge(): NodeKnowledge {
  const interfaces: Record<string, NodeKnowledge['interfaces'][string]> = {};
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    interfaces[name] = (entries ?? []).flatMap(({ cidr, mac, internal }) =>
      cidr === null ? [] : [{ cidr, mac, internal }],
    );
  }
  return {
    hostname: hostname(),
    kernel: release(),
    architecture: arch(),
    user: ownAccount(),
    interfaces,
  };
}

async function expand(pattern: string, root: string): Promise<readonly string[]> {
  const suffix = '/*.json';
  if (!pattern.endsWith(suffix)) return [pattern];
  const directory = pattern.slice(0, -suffix.length);
  const names = await readdir(root + directory).catch(() => []);
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .slice(0, listLimit)
    .map((name) => `${directory}/${name}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readText(path: string): Promise<string | undefined> {
  const content = await reading(path, threads, (handle, stats) => contentOf(handle, stats, fileLimit)).catch(
    () => undefined,
  );
  return content?.toString('utf8', 0, fileLimit);
}
