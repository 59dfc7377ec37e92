/**
 * What a command works with, opened together and closed together: source, state, policy engine, lines to hosts, reports.
 * Invariant: what was opened is closed, also when opening a later part fails; secrets are registered before a line is opened.
 * The only place where the parts of the reconciler are put together.
 */

import { type Checked, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { Defaults } from '../../inventory/defaults.ts';
import type { EventSink } from '../base/event.ts';
import { Claims } from '../claims.ts';
import type { Asker } from '../connection/asking.ts';
import { defaultKnownHosts } from '../connection/host-keys.ts';
import { HostTrust } from '../connection/host-trust.ts';
import { ownCredentials } from '../connection/own-credentials.ts';
import { ConnectionPool, poolOptions } from '../connection/pool.ts';
import { RuntimeShipping } from '../connection/runtime/shipping.ts';
import type { SessionPool, Survey } from '../connection/session.ts';
import { ownSshConfig, SshConfig } from '../connection/ssh-config.ts';
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
import { createAsker } from './asker.ts';
import type { Invocation } from './command.ts';
import { readDefaults } from './defaults-file.ts';
import type { LocalHost } from './local-host.ts';
import { cacheDirectory, policyLocation, stateDirectory } from './location.ts';
import { createOutput, type Output } from './output.ts';

export interface WorkspaceOptions {
  /** `write` takes the state directory's lock. */
  readonly state: 'read' | 'write';
  /** The files as they are on disk instead of commits. */
  readonly worktree: boolean;
  /** Roles will be evaluated: their worker starts while the rest is opened. */
  readonly evaluates?: boolean | undefined;
  /** Lines go to this machine instead of over SSH. */
  readonly local?: LocalHost | undefined;
  /** A remote that does not answer now is asked again later; what is known of it serves until then. */
  readonly patient?: boolean | undefined;
  /** Who watches runs; default: nobody. */
  readonly watchers?: EventSink | undefined;
  /** Stills who watches until the result is called. */
  readonly hold?: (() => () => void) | undefined;
  /** The controller's defaults, where they were read already. */
  readonly defaults?: Defaults | undefined;
}

export interface Workspace {
  readonly output: Output;
  readonly store: Store;
  readonly source: PolicySource;
  readonly environments: Environments;
  readonly services: Services;
  readonly runs: RunFactory;
  readonly worktree: boolean;
  /** Who answers questions. */
  readonly asker: Asker;
  /** A look at hosts' keys; the caller closes it. */
  readonly trust: () => HostTrust;
  /** Measures ways to hosts; the caller ends it. */
  readonly survey: (signal: AbortSignal) => Survey;
  /** Writes history out and closes everything; safe to call once. */
  close(): Promise<void>;
}

/** Opens a workspace for an invocation. */
export async function openWorkspace(
  invocation: Invocation,
  options: WorkspaceOptions,
): Promise<Checked<Workspace>> {
  const engine = createPolicyEngine();
  if (options.evaluates === true) engine.prepare();
  const opened = await openAround(engine, invocation, options);
  if (!opened.ok) await engine.close();
  return opened;
}

async function openAround(
  engine: PolicyEngine,
  invocation: Invocation,
  options: WorkspaceOptions,
): Promise<Checked<Workspace>> {
  const { surroundings } = invocation;
  const defaults =
    options.defaults === undefined ? await readDefaults(surroundings) : success(options.defaults);
  if (!defaults.ok) return defaults;
  const opened = await openStore(stateDirectory(invocation.options, surroundings), { mode: options.state });
  if (!opened.ok) return { ok: false, problems: [opened.problem] };
  const store = opened.value;
  const source = await openPolicy(invocation, options);
  if (!source.ok) {
    await store.close();
    return { ok: false, problems: [source.problem] };
  }
  const parts = { engine, store, source: source.value.source, options, defaults: defaults.value };
  const workspace = await assemble(invocation, parts);
  if (source.value.late !== undefined) workspace.output.problems([source.value.late]);
  return success(workspace);
}

interface OpenedPolicy {
  readonly source: PolicySource;
  /** Why nothing new could be fetched, where that may wait. */
  readonly late?: Problem | undefined;
}

async function openPolicy(
  { options: given, surroundings }: Invocation,
  options: WorkspaceOptions,
): Promise<Result<OpenedPolicy>> {
  const source = await openSource(policyLocation(given, surroundings), {
    clock: surroundings.clock,
    mode: options.worktree ? 'worktree' : 'git',
    directory: surroundings.directory,
    stateDirectory: stateDirectory(given, surroundings),
    tokenFile: surroundings.environment.TOWLINE_GIT_TOKEN_FILE || undefined,
  });
  if (!source.ok) return source;
  const fetched = await source.value.refresh();
  if (fetched.ok) return success({ source: source.value });
  if (options.patient === true) return success({ source: source.value, late: fetched.problem });
  await source.value.close();
  return fetched;
}

interface Parts {
  readonly engine: PolicyEngine;
  readonly store: Store;
  readonly source: PolicySource;
  readonly options: WorkspaceOptions;
  readonly defaults: Defaults;
}

async function assemble(invocation: Invocation, parts: Parts): Promise<Workspace> {
  const { engine, store, source, options, defaults } = parts;
  const { surroundings } = invocation;
  const { clock, random } = surroundings;
  const output = createOutput(surroundings, invocation.options);
  const secrets = new SecretRegistry();
  const history = createHistorySink({
    store: store.history,
    onFailure: (error, run, lost) =>
      output.remark(`history of run ${run}: ${lost} events lost: ${String(error)}`),
  });
  const shipping = new RuntimeShipping({
    ship: defaults.runtime.ship,
    cache: defaults.runtime.cache && invocation.options.cache !== false,
    folder: cacheDirectory(surroundings),
  });
  const onWarning = (host: string, warning: string): void => {
    const release = options.hold?.();
    output.warning(`${host}: ${warning}`);
    release?.();
  };
  const asker = createAsker(surroundings, invocation.options, options.hold);
  const pooled = poolOptions(onWarning, defaults);
  const hostKeys = { ...pooled.ssh.hostKeys, files: defaultKnownHosts(surroundings.home) };
  const credentials = ownCredentials(surroundings.environment, asker);
  const ssh = { ...pooled.ssh, hostKeys, credentials };
  const sshConfig = new SshConfig(ownSshConfig(surroundings.environment, surroundings.home));
  const lines = new ConnectionPool({ ...pooled, ssh, sshConfig, shipping });
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
    shipping,
    engine,
    clock,
    defaults,
    snapshot,
    claims: new Claims(() => readHoldings({ environments, store, snapshot })),
  };
  const redact = (sink: EventSink): EventSink => redactEvents(secrets, sink);
  const { worktree, watchers = () => {} } = options;
  const runs = new RunFactory({ services, redact, watchers, history: history.sink, random });
  const close = async (): Promise<void> => {
    await pool.close('towline is ending');
    await Promise.all([engine.close(), source.close(), history.flush()]);
    await store.close();
  };
  const trust = (): HostTrust =>
    new HostTrust({
      ssh: { ...ssh, signal: surroundings.interrupted },
      sshConfig,
      atOnce: defaults.tuning.connections,
    });
  const survey = (signal: AbortSignal): Survey => registeringSurvey(lines.survey(signal), secrets);
  return { output, store, source, environments, services, runs, worktree, asker, trust, survey, close };
}

/** Puts a pool in front of which every password becomes known to the redaction. */
function registering(pool: SessionPool, secrets: SecretRegistry): SessionPool {
  return {
    open: (spec, signal) => {
      learn(spec, secrets);
      return pool.open(spec, signal);
    },
    sessions: () => pool.sessions(),
    onLost: (listener) => pool.onLost(listener),
    close: (reason) => pool.close(reason),
  };
}

/** The same for a survey. */
function registeringSurvey(survey: Survey, secrets: SecretRegistry): Survey {
  return {
    reach: (spec) => {
      learn(spec, secrets);
      return survey.reach(spec);
    },
    measure: (way) => survey.measure(way),
    end: () => survey.end(),
  };
}

function learn(spec: ConnectionSpec, secrets: SecretRegistry): void {
  for (const secret of [spec.password, spec.become?.password]) if (secret !== undefined) secrets.add(secret);
  if (spec.via !== undefined) learn(spec.via, secrets);
}

/** Does something with a workspace and closes it, whatever happens. */
export async function withWorkspace<T>(
  invocation: Invocation,
  options: WorkspaceOptions,
  work: (workspace: Workspace) => Promise<T>,
): Promise<T | { readonly refused: readonly Problem[] }> {
  const opened = await openWorkspace(invocation, options);
  if (!opened.ok) return { refused: opened.problems };
  try {
    return await work(opened.value);
  } finally {
    await opened.value.close();
  }
}
