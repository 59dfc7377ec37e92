/**
 * Gives a host a runtime when somebody who may change the host wants to talk to it: probe, choose, prepare, ship.
 * Invariant: without such a permit nothing is sent and nothing is written on the host; what is sent is announced before.
 * Never looks for a runtime on the host: whoever starts the agent found that there is none.
 */

import { join } from 'node:path';
import {
  failure,
  type Problem,
  ProblemError,
  type Result,
  success,
} from '../../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import type { RuntimeProgress } from '../../base/event.ts';
import { connectionProblem } from '../../base/problem-codes/connection.ts';
import type { Runner } from '../line.ts';
import { type BuildPlaces, findBuild, type RuntimeBuild } from './builds.ts';
import { chooseRuntime, needs, type RuntimeChoice } from './choose.ts';
import type { Platform } from './pinned-builds.ts';
import { placeName } from './places.ts';
import { forgetPayloads, type Payload, preparePayload } from './prepare.ts';
import { type Compression, probeHost } from './probe.ts';
import { type Shipped, shipRuntime } from './ship.ts';

export type ShipListener = (progress: RuntimeProgress) => void;

export interface ShippingOptions {
  /** Whether hosts get runtimes at all, and whether these stay there. */
  readonly ship: boolean;
  readonly cache: boolean;
  /** Towline's cache folder on this machine. */
  readonly folder: string;
  readonly builds?: Partial<BuildPlaces> | undefined;
}

export interface SupplyOptions {
  /** What starting the agent said: there is no Node, or too old a one. */
  readonly problem: Problem;
  readonly startDeadline: number;
  readonly signal?: AbortSignal | undefined;
}

type Target = Pick<ConnectionSpec, 'host' | 'become'>;

export class RuntimeShipping {
  readonly #options: ShippingOptions;
  readonly #permits = new Map<string, Set<ShipListener>>();
  readonly #builds = new Map<Platform, Promise<Result<RuntimeBuild>>>();
  readonly #payloads = new Map<string, Promise<Payload>>();

  constructor(options: ShippingOptions) {
    this.#options = options;
  }

  /** Permits shipping to a host, and to those its line goes through, until the function given back is called. */
  permit(spec: ConnectionSpec, listener: ShipListener = () => {}): () => void {
    const { host, via } = spec;
    const known = this.#permits.get(host) ?? new Set();
    const own: ShipListener = (progress) => listener(progress);
    this.#permits.set(host, known.add(own));
    const further = via === undefined ? () => {} : this.permit(via, listener);
    return () => {
      known.delete(own);
      if (known.size === 0 && this.#permits.get(host) === known) this.#permits.delete(host);
      further();
    };
  }

  /** Ships a runtime to the account that the target's agent runs as. */
  async supply(runner: Runner, target: Target, options: SupplyOptions): Promise<Result<Shipped>> {
    const { problem } = options;
    if (!this.#options.ship) return failure(problem);
    if (!this.#permits.has(target.host)) {
      const message = `${problem.message}; one would be shipped`;
      return failure(connectionProblem('runtime.would-ship', message, { where: { host: target.host } }));
    }
    const { space, symbols } = needs;
    const probe = await probeHost(runner, target, { ...options, space, symbols });
    if (!probe.ok) return probe;
    const choice = chooseRuntime(target.host, probe.value);
    return choice.ok ? this.#ship(runner, target, { ...options, choice: choice.value }) : choice;
  }

  async #ship(
    runner: Runner,
    target: Target,
    options: SupplyOptions & { readonly choice: RuntimeChoice },
  ): Promise<Result<Shipped>> {
    const { choice, problem, startDeadline, signal } = options;
    const found = await this.#build(choice, target.host, problem);
    if (!found.ok) return found;
    const { build, payload } = found.value;
    const keep = this.#options.cache;
    const tell = this.#teller(target.host, { ...about(build, choice, problem), keep, size: payload.size });
    tell('begins', 0);
    const shipped = await shipRuntime(runner, target, {
      payload,
      place: choice.place,
      keep,
      startDeadline,
      signal,
      onSent: (sent) => tell('sends', sent),
    });
    if (shipped.ok) tell('done', payload.size);
    else if (shipped.problem.code === 'runtime.damaged') await this.#forget(build);
    return shipped;
  }

  /** The build and its payload, made once however many hosts wait for it. */
  async #build(
    { platform, compression, place }: RuntimeChoice,
    host: string,
    problem: Problem,
  ): Promise<Result<{ readonly build: RuntimeBuild; readonly payload: Payload }>> {
    const folder = join(this.#options.folder, 'runtime');
    const tell = this.#teller(host, {
      ...about({ version: '', platform }, { place }, problem),
      keep: this.#options.cache,
      size: 0,
    });
    const waiting = setTimeout(() => tell('prepares', 0), 300);
    try {
      const build = await this.#find(platform, folder);
      if (!build.ok) return failure({ ...build.problem, where: { host } });
      const payload = await this.#payload(build.value, compression, folder);
      return success({ build: build.value, payload });
    } catch (error) {
      if (error instanceof ProblemError) return failure(error.problem);
      const message = `the Node to ship cannot be prepared: ${(error as Error).message}`;
      return failure(connectionProblem('runtime.no-build', message, { where: { host } }));
    } finally {
      clearTimeout(waiting);
    }
  }

  #find(platform: Platform, folder: string): Promise<Result<RuntimeBuild>> {
    const build = this.#builds.get(platform) ?? findBuild(platform, { folder, ...this.#options.builds });
    this.#builds.set(platform, build);
    const forget = (): void => void this.#builds.delete(platform);
    void build.then(({ ok }) => ok || forget(), forget);
    return build;
  }

  #payload(build: RuntimeBuild, compression: Compression, folder: string): Promise<Payload> {
    const key = `${build.platform} ${compression}`;
    const payload = this.#payloads.get(key) ?? preparePayload(build, compression, folder);
    this.#payloads.set(key, payload);
    payload.catch(() => this.#payloads.delete(key));
    return payload;
  }

  async #forget(build: RuntimeBuild): Promise<void> {
    this.#payloads.clear();
    await forgetPayloads(build, join(this.#options.folder, 'runtime'));
  }

  /** Tells the host's listeners; of what is sent, each hundredth once. */
  #teller(
    host: string,
    shipment: Omit<RuntimeProgress, 'host' | 'stage' | 'sent'>,
  ): (stage: RuntimeProgress['stage'], sent: number) => void {
    let percent = -1;
    return (stage, sent) => {
      const reached = Math.floor((sent / Math.max(1, shipment.size)) * 100);
      if (stage === 'sends' && reached === percent) return;
      percent = reached;
      for (const listener of this.#permits.get(host) ?? []) listener({ host, ...shipment, stage, sent });
    };
  }
}

function about(
  { version, platform }: Pick<RuntimeBuild, 'version' | 'platform'>,
  { place }: Pick<RuntimeChoice, 'place'>,
  { message }: Problem,
): Pick<RuntimeProgress, 'version' | 'platform' | 'place' | 'why'> {
  return { version, platform, place: placeName(place), why: message };
}
