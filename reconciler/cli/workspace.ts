/**
 * What a command works with, opened together and closed together: source, state, policy engine, lines to hosts, reports.
 * Invariant: what was opened is closed, also when opening a later part fails; secrets are registered before a line is opened.
 * The only place where the parts of the reconciler are put together.
 */

import { type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { EventSink } from '../base/event.ts';
import { Claims } from '../claims.ts';
import { ConnectionPool, poolOptions } from '../connection/pool.ts';
import type { SessionPool } from '../connection/session.ts';
import { Environments } from '../environments.ts';
import { readHoldings } from '../holdings.ts';
import { createPolicyEngine } from '../policy/engine.ts';
import type { PolicyEngine } from '../policy/model.ts';
import { createHistorySink } from '../report/history.ts';
import { redactEvents } from '../report/redact.ts';
import { SecretRegistry } from '../report/secret-registry.ts';
import { RunFactory } from '../run-factory.ts';
import type { PolicySource } from '../source/policy-source.ts';
import { openSource } from '../source/source.ts';
import { FactsBook } from '../state/facts-book.ts';
import { openStore } from '../state/open-store.ts';
import type { Store } from '../state/store.ts';
import type { Services } from '../steps/run.ts';
import type { Invocation } from './command.ts';
import type { LocalHost } from './local-host.ts';
import { policyLocation, stateDirectory } from './location.ts';
import { createOutput, type Output } from './output.ts';

export interface WorkspaceOptions {
  /** `write` takes the state directory's lock. */
  readonly state: 'read' | 'write';
  /** The files as they are on disk instead of commits. */
  readonly worktree: boolean;
  /** Lines go to this machine instead of over SSH. */
  readonly local?: LocalHost | undefined;
  /** A remote that does not answer now is asked again later; what is known of it serves until then. */
  readonly patient?: boolean | undefined;
  /** Who watches runs; default: nobody. */
  readonly watchers?: EventSink | undefined;
}

export interface Workspace {
  readonly output: Output;
  readonly store: Store;
  readonly source: PolicySource;
  readonly environments: Environments;
  readonly services: Services;
  readonly runs: RunFactory;
  readonly worktree: boolean;
  /** Writes history out and closes everything; safe to call once. */
  close(): Promise<void>;
}

/** Opens a workspace for an invocation. */
export async function openWorkspace(
  invocation: Invocation,
  options: WorkspaceOptions,
): Promise<Result<Workspace>> {
  const { surroundings } = invocation;
  const directory = stateDirectory(invocation.options, surroundings);
  const opened = await openStore(directory, { mode: options.state });
  if (!opened.ok) return opened;
  const store = opened.value;
  const source = await openSource(policyLocation(invocation.options, surroundings), {
    clock: surroundings.clock,
    mode: options.worktree ? 'worktree' : 'git',
    directory: surroundings.directory,
    stateDirectory: directory,
    tokenFile: surroundings.environment.TOWLINE_GIT_TOKEN_FILE || undefined,
  });
  if (!source.ok) {
    await store.close();
    return source;
  }
  const fetched = await source.value.refresh();
  if (!fetched.ok && options.patient !== true) {
    await source.value.close();
    await store.close();
    return fetched;
  }
  const workspace = await assemble(invocation, { store, source: source.value, options });
  if (!fetched.ok) workspace.output.problems([fetched.problem]);
  return success(workspace);
}

interface Parts {
  readonly store: Store;
  readonly source: PolicySource;
  readonly options: WorkspaceOptions;
}

async function assemble(invocation: Invocation, { store, source, options }: Parts): Promise<Workspace> {
  const { surroundings } = invocation;
  const { clock, random } = surroundings;
  const output = createOutput(surroundings, invocation.options);
  const secrets = new SecretRegistry();
  const history = createHistorySink({
    store: store.history,
    onFailure: (error, run, lost) =>
      output.remark(`history of run ${run}: ${lost} events lost: ${String(error)}`),
  });
  const engine: PolicyEngine = createPolicyEngine();
  const lines = new ConnectionPool(poolOptions((host, warning) => output.remark(`${host}: ${warning}`)));
  const pool = registering(options.local?.through(lines) ?? lines, secrets);
  const environments = new Environments({
    source,
    trustedBranch: invocation.options.trustedBranch,
    worktree: options.worktree,
    now: () => clock.now(),
  });
  const snapshot: Services['snapshot'] = (branch, revision) =>
    revision === undefined ? source.snapshot(branch) : source.snapshotAt(revision, branch);
  const services: Services = {
    store,
    facts: await FactsBook.open(store.facts, options.state === 'write'),
    pool,
    engine,
    clock,
    snapshot,
    claims: new Claims(() => readHoldings({ environments, store, snapshot })),
  };
  const runs = new RunFactory({
    services,
    watchers: redactEvents(secrets, options.watchers ?? (() => {})),
    history: redactEvents(secrets, history.sink),
    random,
  });
  const close = async (): Promise<void> => {
    await pool.close('towline is ending');
    await Promise.all([engine.close(), source.close(), history.flush()]);
    await store.close();
  };
  return { output, store, source, environments, services, runs, worktree: options.worktree, close };
}

/** Puts a pool in front of which every password becomes known to the redaction. */
function registering(pool: SessionPool, secrets: SecretRegistry): SessionPool {
  const learn = (spec: ConnectionSpec): void => {
    for (const secret of [spec.password, spec.become?.password])
      if (secret !== undefined) secrets.add(secret);
    if (spec.via !== undefined) learn(spec.via);
  };
  return {
    open: (spec, signal) => {
      learn(spec);
      return pool.open(spec, signal);
    },
    sessions: () => pool.sessions(),
    onLost: (listener) => pool.onLost(listener),
    close: (reason) => pool.close(reason),
  };
}

/** Does something with a workspace and closes it, whatever happens. */
export async function withWorkspace<T>(
  invocation: Invocation,
  options: WorkspaceOptions,
  work: (workspace: Workspace) => Promise<T>,
): Promise<T | { readonly refused: readonly Problem[] }> {
  const opened = await openWorkspace(invocation, options);
  if (!opened.ok) return { refused: [opened.problem] };
  try {
    return await work(opened.value);
  } finally {
    await opened.value.close();
  }
}
