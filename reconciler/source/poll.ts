/**
 * When a remote is asked next, and the timer that does it.
 * Invariant: polls of one timer never overlap; 0 seconds never polls.
 * Never polls a fleet of reconcilers in step: each interval is spread by a tenth either way.
 */

export interface PollSettings {
  /** Between two polls; 0 is off. */
  readonly seconds: number;
}

const jitter = 0.1;

/** The time of the next poll in milliseconds since the epoch, or undefined when polling is off. Pure. */
export function nextPoll(now: number, settings: PollSettings, random: () => number): number | undefined {
  if (!(settings.seconds > 0)) return undefined;
  const spread = 1 + jitter * (2 * random() - 1);
  return now + Math.max(1, Math.round(settings.seconds * 1000 * spread));
}

export interface PollOptions {
  readonly settings: PollSettings;
  readonly random: () => number;
  /** Must not reject. */
  readonly poll: () => Promise<void>;
}

export interface Poller {
  /** Ends it; a poll under way is waited for. */
  close(): Promise<void>;
}

/** Polls until it is closed; the first time after one interval. */
export function startPolling({ settings, random, poll }: PollOptions): Poller {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const schedule = (): void => {
    const wait = nextPoll(0, settings, random);
    if (closed || wait === undefined) return;
    timer = setTimeout(() => {
      running = poll().then(schedule);
    }, wait);
  };
  schedule();
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
