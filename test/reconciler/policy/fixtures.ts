/**
 * Policies in memory for the tests of this folder.
 * Invariant: equal texts have equal content ids.
 * Test code only.
 */

import { hash } from 'node:crypto';
import type { Facts } from '../../../agent/protocol/facts.ts';
import type { Json } from '../../../agent/protocol/json.ts';
import type { Problem } from '../../../agent/protocol/problem.ts';
import { type ContentStore, heldContent, readWhole } from '../../../reconciler/base/content.ts';
import { createPolicyEngine } from '../../../reconciler/policy/engine.ts';
import { createAnswerer } from '../../../reconciler/policy/evaluation/answer.ts';
import type { Evaluation, LoadedPolicy, Subject } from '../../../reconciler/policy/model.ts';
import type { Snapshot } from '../../../reconciler/source/snapshot.ts';

/** A snapshot of these files. */
export function snapshotOf(files: Readonly<Record<string, string>>): Snapshot {
  const paths = Object.keys(files).sort();
  const id = (path: string): string => hash('sha1', files[path] ?? '');
  return {
    revision: { id: hash('sha1', JSON.stringify(files)), subject: '', author: '' },
    entries: new Map(paths.map((path) => [path, { path, id: id(path), executable: false }])),
    read: async (path) => Buffer.from(files[path] ?? ''),
    open: async (path) => heldContent(Buffer.from(files[path] ?? '')),
  };
}

/** All bytes of a content. */
export async function readContent(contents: ContentStore | undefined, sha256: string): Promise<Buffer> {
  const reader = await contents?.open(sha256);
  if (reader === undefined) throw new Error(`no content ${sha256}`);
  return readWhole(reader);
}

/** One question. */
export function subjectOf(
  name: string,
  variables: Readonly<Record<string, Json>> = {},
  more: Partial<Subject> & { groups?: string[] } = {},
): Subject {
  const { groups = ['all'], ...rest } = more;
  return {
    host: { name, groups, variables, fingerprint: `${name}${JSON.stringify(variables)}` },
    facts: undefined,
    environment: { name: 'test', branch: 'main' },
    extraVariables: {},
    ...rest,
  };
}

export const debianFacts: Facts = {
  os: {
    family: 'debian',
    distribution: 'debian',
    version: '12',
    codename: 'bookworm',
    kernel: '6',
    architecture: 'x64',
  },
  hardware: { processors: 2, memoryBytes: 1, swapBytes: 0 },
  network: { hostname: 'h', domain: '', primary: null, interfaces: {} },
  packageManager: 'apt',
  initSystem: 'systemd',
  virtualization: null,
  mounts: [],
  account: { user: 'u', uid: 1, gid: 1, home: '/home/u' },
  uptime: 5,
  machineId: '',
  custom: {},
};

/** A role file around a body of `resources`. */
export function roleFile(resources: string, more = ''): string {
  return `import { assert, authorizedKey, block, command, defineRole, directory, echo, file, group, line, link, pkg, service, stop, template, user } from 'towline'
export default defineRole({
  ${more}
  resources: (ctx) => { const { vars, facts, host, environment, data } = ctx; return ${resources} },
})
`;
}

export const limits = { quietMilliseconds: 2000, memoryMebibytes: 64 };

/** An engine that runs role code in this process: the same code as in the worker, without its limits. */
export function engineInProcess(): ReturnType<typeof createPolicyEngine> {
  const answer = createAnswerer();
  return createPolicyEngine(limits, {
    prepare: () => {},
    request: async (request, onReply) => {
      for (const reply of answer(structuredClone(request))) onReply(structuredClone(reply));
      return undefined;
    },
    close: async () => {},
  });
}

/** Loads one role named web, or gives the problems. */
export async function loadWeb(
  files: Readonly<Record<string, string>>,
  engine = engineInProcess(),
): Promise<{
  policy?: LoadedPolicy;
  problems: readonly Problem[];
  engine: ReturnType<typeof createPolicyEngine>;
}> {
  const loaded = await engine.load(snapshotOf(files), ['web']);
  return loaded.ok ? { policy: loaded.value, problems: [], engine } : { problems: loaded.problems, engine };
}

/** Evaluates the body of `resources` for one host. */
export async function evaluateWeb(
  resources: string,
  options: { more?: string; subject?: Subject; files?: Readonly<Record<string, string>> } = {},
): Promise<Evaluation & { contents: LoadedPolicy['contents'] }> {
  const files = { 'roles/web/role.ts': roleFile(resources, options.more), ...options.files };
  const { policy, problems, engine } = await loadWeb(files);
  try {
    if (policy === undefined) throw new Error(JSON.stringify(problems));
    const [evaluation] = await policy.evaluate('web', [options.subject ?? subjectOf('a')]);
    return Object.assign(Object.create(evaluation as object) as Evaluation, { contents: policy.contents });
  } finally {
    await engine.close();
  }
}
