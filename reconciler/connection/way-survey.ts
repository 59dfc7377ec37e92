/**
 * Measures the ways to hosts: every hop in its order, how long it took to set up and how far it is.
 * Invariant: a hop that several ways share is measured once; what cannot be measured is left out, and a way ends at its first problem.
 * Never opens a line that the host behind it would not need.
 */

import type { Problem, Result } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { chainOf } from './openssh-words.ts';
import { type Lease, routeOf } from './routes.ts';
import type { Hop, HopKind, HostSession, Survey, Way } from './session.ts';
import { contextKey } from './spec-key.ts';
import type { UsedSession } from './used-session.ts';

/** What opens the hops. */
export interface SurveySources {
  /** The spec with everything in force, its parents too. */
  resolve(spec: ConnectionSpec): Promise<Result<ConnectionSpec>>;
  /** A login of ours, to forward streams through. */
  line(spec: ConnectionSpec): Promise<Result<Lease>>;
  session(spec: ConnectionSpec): Promise<Result<UsedSession>>;
}

/** One may have waited for something here or there; the quickest is nearest to what the way takes. */
const roundTrips = 3;

interface Reached {
  readonly hop: Hop;
  readonly session?: HostSession | undefined;
}

type Measure = Pick<Hop, 'roundTripMilliseconds' | 'problem'>;

/** What the next host needs of this one: a stream, its agent, or nothing, since one client opens the whole chain. */
type Part = 'line' | 'agent' | 'unseen';

export class WaySurvey implements Survey {
  readonly #sources: SurveySources;
  readonly #reached = new Map<string, Promise<Reached>>();
  /** How a hop that was reached is measured. */
  readonly #measures = new WeakMap<Hop, () => Promise<Measure>>();
  readonly #releases: (() => void)[] = [];

  constructor(sources: SurveySources) {
    this.#sources = sources;
  }

  async reach(asked: ConnectionSpec): Promise<Way> {
    const resolved = await this.#sources.resolve(asked);
    if (!resolved.ok) return { hops: [{ ...hopOf(asked), problem: resolved.problem }] };
    const chain = chainOf(resolved.value);
    const hops: Hop[] = [];
    for (const [index, spec] of chain.entries()) {
      const { hop, session } = await this.#once(spec, partFor(chain[index + 1]));
      hops.push(hop);
      if (hop.problem !== undefined) return { hops: upToProblem(hops, hop.problem) };
      if (index === chain.length - 1) return { hops, session };
    }
    return { hops };
  }

  async measure({ hops, session }: Way): Promise<Way> {
    const measured: Hop[] = [];
    for (const hop of hops) {
      const next = { ...hop, ...(await this.#measures.get(hop)?.()) };
      measured.push(next);
      if (next.problem !== undefined) return { hops: measured };
    }
    return { hops: measured, session };
  }

  end(): void {
    for (const release of this.#releases.splice(0)) release();
  }

  #once(spec: ConnectionSpec, part: Part): Promise<Reached> {
    const key = `${part} ${contextKey(spec)}`;
    const reached = this.#reached.get(key) ?? this.#reach(spec, part);
    this.#reached.set(key, reached);
    return reached;
  }

  async #reach(spec: ConnectionSpec, part: Part): Promise<Reached> {
    switch (part) {
      case 'unseen':
        return { hop: { host: spec.host, kind: 'openssh' } };
      case 'line':
        return { hop: await this.#reachLine(spec) };
      case 'agent':
        return this.#reachAgent(spec);
      default:
        return part satisfies never;
    }
  }

  async #reachLine(spec: ConnectionSpec): Promise<Hop> {
    const lease = await this.#sources.line(spec);
    if (!lease.ok) return { ...hopOf(spec), problem: lease.problem };
    const { line, release } = lease.value;
    this.#releases.push(release);
    const hop = { ...hopOf(spec), setUpMilliseconds: line?.setUpMilliseconds };
    this.#measures.set(
      hop,
      once(() => quickest(async () => line?.roundTrip?.())),
    );
    return hop;
  }

  async #reachAgent(spec: ConnectionSpec): Promise<Reached> {
    const opened = await this.#sources.session(spec);
    if (!opened.ok) return { hop: { ...hopOf(spec), problem: opened.problem } };
    const session = opened.value;
    this.#releases.push(session.hold());
    const { line, agent } = session.setUp;
    const part = line === undefined ? {} : { agentMilliseconds: agent };
    const hop = { ...hopOf(spec), setUpMilliseconds: (line ?? 0) + agent, ...part };
    this.#measures.set(
      hop,
      once(() => quickest(() => session.ping())),
    );
    return { hop, session };
  }
}

/** Cut at the hop that the problem is about, where one client opens them all and tells which it is. */
function upToProblem(hops: readonly Hop[], { cause }: Problem): readonly Hop[] {
  const at = hops.findIndex((hop) => hop.kind === 'openssh' && hop.host === cause?.where?.host);
  const ending = hops[at];
  const isBefore = ending !== undefined && at < hops.length - 1;
  return isBefore ? [...hops.slice(0, at), { ...ending, problem: cause }] : hops;
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | undefined;
  return () => {
    begun ??= work();
    return begun;
  };
}

/** What of a host the next one on the way needs; the last is wanted for itself. */
function partFor(next: ConnectionSpec | undefined): Part {
  if (next === undefined) return 'agent';
  const { name } = routeOf(next);
  if (name === 'ssh2') return 'line';
  return name === 'openssh' ? 'unseen' : 'agent';
}

function hopOf(spec: ConnectionSpec): Hop {
  return { host: spec.host, kind: kindOf(spec) };
}

function kindOf(spec: ConnectionSpec): HopKind {
  const route = routeOf(spec);
  switch (route.name) {
    case 'here':
      return 'local';
    case 'ssh2':
      return spec.via === undefined ? 'ssh' : 'tunnel';
    case 'container':
      return route.kind;
    default:
      return route.name;
  }
}

/** Asks a few times; undefined where nothing answers. */
async function quickest(ask: () => Promise<Result<number> | undefined>): Promise<Measure> {
  let best: number | undefined;
  for (let asked = 0; asked < roundTrips; asked += 1) {
    const answer = await ask();
    if (answer === undefined) return {};
    if (!answer.ok) return { problem: answer.problem };
    best = Math.min(best ?? answer.value, answer.value);
  }
  return { roundTripMilliseconds: best };
}
