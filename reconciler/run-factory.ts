/**
 * Makes runs: identity, stamped events, the memory of the environment, history from the first event that matters.
 * Invariant: a run that did nothing leaves no history; events of one that did are all there, the early ones too.
 * Never starts a run.
 */

import { stopwatch, timestamp } from './base/clock.ts';
import type { EventSink, RunEvent } from './base/event.ts';
import type { Unstamped } from './rollout/run-host.ts';
import type { Snapshot } from './source/snapshot.ts';
import type { EnvironmentMemory, Run, RunRequest, Services } from './steps/run.ts';

export interface RunFactoryOptions {
  readonly services: Services;
  /** What stands in front of everybody who sees events. */
  readonly redact: (sink: EventSink) => EventSink;
  /** People and programs that watch: they see every event as it happens. */
  readonly watchers: EventSink;
  /** History: sees the events of runs worth remembering. */
  readonly history: EventSink;
  readonly random: () => number;
}

export interface RunSignals {
  readonly signal: AbortSignal;
  readonly superseded: AbortSignal;
}

export class RunFactory {
  readonly #options: RunFactoryOptions;
  readonly #memories = new Map<string, EnvironmentMemory>();
  #last = 0;

  constructor(options: RunFactoryOptions) {
    this.#options = options;
  }

  /** What an environment remembers. */
  memory(environment: string): EnvironmentMemory {
    const known = this.#memories.get(environment);
    if (known !== undefined) return known;
    const made: EnvironmentMemory = { lastGood: undefined };
    this.#memories.set(environment, made);
    return made;
  }

  /** The environment is no more. */
  forget(environment: string): void {
    this.#memories.delete(environment);
  }

  /** A run ready to be reconciled; its first event is out. */
  make(request: RunRequest, signals: RunSignals): Run {
    const { services, redact, watchers, history } = this.#options;
    const { name } = request.environment;
    const id = this.#newId();
    const early: RunEvent[] = [];
    let remembered: Promise<void> | undefined;
    const record = (event: RunEvent): void => {
      if (remembered === undefined) early.push(event);
      else history(event);
    };
    const leave = redact((event) => {
      watchers(event);
      if (request.records) record(event);
    });
    const emit = (event: Unstamped): void =>
      leave({ ...event, run: id, at: timestamp(services.clock), environment: name } as RunEvent);
    const begin = async (): Promise<void> => {
      const { trigger, mode } = request;
      await services.store.history.start({
        run: id,
        environment: name,
        trigger,
        mode,
        startedAt: early[0]?.at ?? timestamp(services.clock),
      });
      for (const event of early.splice(0)) history(event);
    };
    const remember = async (): Promise<void> => {
      if (!request.records) return;
      remembered ??= begin();
      await remembered;
    };
    emit({ type: 'run-started', trigger: request.trigger, mode: request.mode });
    return {
      id,
      request,
      services,
      memory: this.memory(name),
      emit,
      elapsed: stopwatch(),
      remember,
      isRemembered: () => remembered !== undefined,
      problems: [],
      unreachable: new Map(),
      ...signals,
    };
  }

  /** A run on this very tree, of which nobody hears and nothing is recorded. */
  rehearsal(request: RunRequest, snapshot: Snapshot): Run {
    const { services } = this.#options;
    const never = new AbortController().signal;
    return {
      id: '',
      request: { ...request, offline: true, records: false },
      services,
      snapshot,
      memory: { ...this.memory(request.environment.name) },
      emit: () => {},
      elapsed: stopwatch(),
      remember: async () => {},
      isRemembered: () => false,
      problems: [],
      unreachable: new Map(),
      signal: never,
      superseded: never,
    };
  }

  /**
   * Date and time, then the millisecond and chance, each as two digits of base 36: ids of one process sort as they were made, whatever
   * its clock does, and two of different processes never meet.
   */
  #newId(): string {
    const { services, random } = this.#options;
    this.#last = Math.max(services.clock.now(), this.#last + 1);
    const moment = new Date(this.#last).toISOString().replaceAll(/[-:T]|\..*$/g, '');
    const tail = twoDigits(this.#last % 1000) + twoDigits(Math.floor(random() * 36 ** 2));
    return `${moment.slice(0, 8)}-${moment.slice(8, 14)}-${tail}`;
  }
}

function twoDigits(number: number): string {
  return number.toString(36).padStart(2, '0');
}
