/**
 * How to reach a host: by ssh2 or the OpenSSH client from here, by its parent's agent, or by a container's program.
 * Invariant: parents are there before their children ask for anything; a lease keeps every parent until it is released.
 * Never opens a session itself: it gives a Runner, and what is left to do at its far end.
 */

import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec, ContainerKind } from '../../inventory/connection-spec.ts';
import { containerRunner } from './container-runner.ts';
import { containerKind, containerPrograms, explainContainer } from './kinds/programs.ts';
import type { Exit, MeasuredLine, RemoteProcess, Runner, StartOptions } from './line.ts';
import { localRunner } from './local.ts';

/** The way to one host; `relayed` and containers with a parent go through the parent's agent. */
export type Route =
  | { readonly name: 'here' }
  | { readonly name: 'ssh2' }
  | { readonly name: 'openssh' }
  | { readonly name: 'relayed'; readonly parent: ConnectionSpec }
  | {
      readonly name: 'container';
      readonly kind: ContainerKind;
      readonly parent: ConnectionSpec | undefined;
    };

/** Decides the way to a host. Pure. */
export function routeOf(spec: ConnectionSpec): Route {
  if (spec.kind === 'local') return { name: 'here' };
  const kind = containerKind(spec.kind);
  if (kind !== undefined) return { name: 'container', kind, parent: spec.via };
  const own = spec.transport === 'openssh' ? 'openssh' : 'ssh2';
  if (spec.via === undefined) return { name: own };
  const way = forwardedBy(spec.via);
  if (way === undefined) return { name: 'relayed', parent: spec.via };
  // One program opens a whole chain, so one host that needs the OpenSSH client decides for those behind it.
  return { name: own === 'openssh' || way === 'openssh' ? 'openssh' : 'ssh2' };
}

/** Who forwards a stream through this host for us; undefined when its agent must open what lies behind. */
function forwardedBy(parent: ConnectionSpec): 'ssh2' | 'openssh' | undefined {
  if (parent.relay === true) return undefined;
  const { name } = routeOf(parent);
  return name === 'ssh2' || name === 'openssh' ? name : undefined;
}

/** The use of a way to a host, until released. */
export interface RunnerLease {
  readonly runner: Runner;
  /** What is left to do at the far end: the account to become, unless the way itself entered as it. */
  readonly spec: ConnectionSpec;
  /** The line below, where one of its own leads there. */
  readonly line?: MeasuredLine | undefined;
  /** Says in the way's own words why an agent did not start. */
  explain(problem: Problem): Problem;
  release(): void;
}

/** A Runner somewhere, until released. */
export interface Lease {
  readonly runner: Runner;
  readonly line?: MeasuredLine | undefined;
  release(): void;
}

/** What opens lines and keeps them. */
export interface RouteSources {
  ssh2(spec: ConnectionSpec): Promise<Result<Lease>>;
  openssh(spec: ConnectionSpec): Promise<Result<Lease>>;
  /** A Runner of a host's agent; the agent's session stays at least until the release. */
  agent(spec: ConnectionSpec): Promise<Result<Lease>>;
  /** The OpenSSH client of the machine that the Runner is on, as a Runner on the host. */
  relayed(machine: Runner, spec: ConnectionSpec): Result<Pick<RunnerLease, 'runner' | 'explain'>>;
}

export class Routes {
  readonly #sources: RouteSources;

  constructor(sources: RouteSources) {
    this.#sources = sources;
  }

  /** A Runner on the host of the spec. */
  async reach(spec: ConnectionSpec): Promise<Result<RunnerLease>> {
    const route = routeOf(spec);
    switch (route.name) {
      case 'here':
        return success(plainLease({ runner: localRunner, release: () => {} }, spec));
      case 'ssh2':
        return leased(await this.#sources.ssh2(spec), spec);
      case 'openssh':
        return leased(await this.#sources.openssh(spec), spec);
      case 'relayed':
        return this.#relayed(spec, route.parent);
      case 'container':
        return this.#container(spec, route);
      default:
        return route satisfies never;
    }
  }

  async #relayed(spec: ConnectionSpec, parent: ConnectionSpec): Promise<Result<RunnerLease>> {
    const machine = await this.#machine(spec, parent);
    if (!machine.ok) return machine;
    const { runner, release } = machine.value;
    const relayed = this.#sources.relayed(runner, spec);
    if (relayed.ok) return success({ ...relayed.value, spec, release });
    release();
    return relayed;
  }

  async #container(
    spec: ConnectionSpec,
    { kind, parent }: Extract<Route, { name: 'container' }>,
  ): Promise<Result<RunnerLease>> {
    const machine = await this.#machine(spec, parent);
    if (!machine.ok) return machine;
    const { address, become } = spec;
    const enters = containerPrograms[kind].entersAsAccount;
    const account = enters ? become?.user : undefined;
    return success({
      runner: containerRunner(machine.value.runner, kind, { address, account }),
      spec: enters ? { ...spec, become: undefined } : spec,
      explain: (problem) => explainContainer(kind, address, problem),
      release: machine.value.release,
    });
  }

  /** Where the program runs that opens the way: here, or on the parent. */
  async #machine(spec: ConnectionSpec, parent: ConnectionSpec | undefined): Promise<Result<Lease>> {
    if (parent === undefined) return success({ runner: localRunner, release: () => {} });
    const lease = await this.#sources.agent(parent);
    if (lease.ok) return success({ ...lease.value, runner: behind(parent.host, lease.value.runner) });
    return failure(named(parent.host, lease.problem, spec));
  }
}

function leased(lease: Result<Lease>, spec: ConnectionSpec): Result<RunnerLease> {
  return lease.ok ? success(plainLease(lease.value, spec)) : lease;
}

function plainLease({ runner, line, release }: Lease, spec: ConnectionSpec): RunnerLease {
  return { runner, line, spec, explain: (problem) => problem, release };
}

/** The parent's trouble as the child's, with the parent's name. */
function named(parent: string, problem: Problem, child: ConnectionSpec): Problem {
  const message = `${parent}, which ${child.host} is reached through: ${problem.message}`;
  return { ...problem, message, where: { ...problem.where, host: child.host } };
}

/** A Runner whose lost programs name the host that was lost. */
function behind(parent: string, runner: Runner): Runner {
  return {
    async start(command: string, options: StartOptions): Promise<Result<RemoteProcess>> {
      const started = await runner.start(command, options);
      return started.ok ? success(processBehind(parent, started.value)) : started;
    },
  };
}

function processBehind(parent: string, process: RemoteProcess): RemoteProcess {
  const name = (exit: Exit): Exit =>
    exit.lost === undefined ? exit : { ...exit, lost: `the line through ${parent} broke: ${exit.lost}` };
  const { stdin, stdout, stderr } = process;
  return {
    stdin,
    stdout,
    stderr,
    exited: process.exited.then(name),
    kill: () => process.kill(),
    release: () => process.release(),
    ...(process.supply !== undefined && { supply: process.supply.bind(process) }),
  };
}
