/**
 * What tests of the connection share: the fixture agent as a bundle, pool options with short deadlines, specs, plans.
 * Invariant: nothing here replaces code of ours; only deadlines are shorter.
 * Never used outside tests.
 */

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { builtInDefaults } from '../../inventory/defaults.ts';
import { type ContentReader, type ContentStore, heldContent } from '../../reconciler/base/content.ts';
import { type AgentBundle, bundleAgent, packAgent } from '../../reconciler/connection/agent-bundle.ts';
import { sessionDeadlines } from '../../reconciler/connection/agent-session.ts';
import type { PoolOptions } from '../../reconciler/connection/pool.ts';
import type { ConvergeCall } from '../../reconciler/connection/session.ts';
import { sshDeadlines } from '../../reconciler/connection/ssh-connection.ts';
import type { SshHost } from '../../reconciler/demo/ssh-host.ts';

let fixture: Promise<AgentBundle> | undefined;

/** The fixture agent, bundled as the real one is. */
export function fixtureBundle(): Promise<AgentBundle> {
  const entry = fileURLToPath(new URL('./fixture-agent.ts', import.meta.url));
  fixture ??= bundleAgent(entry).then(packAgent);
  return fixture;
}

/** Options of a pool for tests. */
export function testPoolOptions(knownHosts: string, warnings: string[] = []): PoolOptions {
  return {
    ssh: {
      deadlines: sshDeadlines,
      hostKeys: { files: [knownHosts], onWarning: (host, warning) => warnings.push(`${host}: ${warning}`) },
      credentials: { defaultKeys: [] },
    },
    session: { ...sessionDeadlines, heartbeat: 400, close: 1000 },
    bundle: fixtureBundle,
    startDeadline: 15_000,
    atOnce: 32,
    tuning: builtInDefaults.tuning,
    runtime: builtInDefaults.runtime,
  };
}

/** The spec of a host served by the embedded server. */
export function hostSpec(host: SshHost, more: Partial<ConnectionSpec> = {}): ConnectionSpec {
  return {
    kind: 'ssh',
    host: 'web1',
    address: host.address,
    port: host.port,
    user: host.user,
    keyFile: host.keyFile,
    hostKeys: 'pinned',
    pinnedKeys: [host.hostKey],
    ...more,
  };
}

/** The spec of this machine. */
export const localSpec: ConnectionSpec = {
  kind: 'local',
  host: 'here',
  address: '',
  port: 22,
  hostKeys: 'strict',
  pinnedKeys: [],
};

/** Contents in memory. */
export class MemoryContents implements ContentStore {
  readonly #bytes = new Map<string, Buffer>();

  add(bytes: Buffer): { readonly sha256: string; readonly size: number } {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.#bytes.set(sha256, bytes);
    return { sha256, size: bytes.length };
  }

  async open(sha256: string): Promise<ContentReader | undefined> {
    const bytes = this.#bytes.get(sha256);
    return bytes && heldContent(bytes);
  }
}

/** A plan whose files have these contents. */
export function filePlan(
  role: string,
  files: readonly { readonly sha256: string; readonly size: number }[],
  folder = '/tmp',
): RolePlan {
  const resources = files.map((content, index) => ({
    id: `file:${folder}/${index}` as const,
    kind: 'file' as const,
    wanted: { path: `${folder}/${index}`, state: 'present' as const, content },
    meta: {},
  }));
  return {
    environment: 'test',
    host: 'web1',
    role,
    resources: resources as RolePlan['resources'],
    handlers: [],
  };
}

/** A converge call for a plan. */
export function convergeCall(
  plan: RolePlan,
  contents: ContentStore,
  more: Partial<ConvergeCall> = {},
): ConvergeCall {
  const digest = createHash('sha256').update(JSON.stringify(plan)).digest('hex');
  const key = `${plan.environment}/${plan.role}`;
  return { run: 'run-1', mode: 'apply', key, digest, plan, contents, onEvents: () => {}, ...more };
}
