/**
 * When a remote is asked next, and the timer that does it.
 * Invariant: polls never overlap; 0 seconds never polls, and is asked again whether that still holds.
 * Never polls a fleet of reconcilers in step: each interval is spread by a tenth either way.
 */

const jitter = 0.1;
/** How often a poll that is off is looked at again: its setting may have changed. */
const offSeconds = 60;

/** Milliseconds until the next poll, or undefined when polling is off. Pure; `random` is in [0, 1). */
export function nextPoll(seconds: number, random: number): number | undefined {
  if (!(seconds > 0)) return undefined;
  return Math.max(1, Math.round(seconds * 1000 * (1 + jitter * (2 * random - 1))));
}

export interface PollOptions {
  /** Between two polls, as it is now; 0 is off. */
  readonly seconds: () => number;
  readonly random: () => number;
  /** Must not reject. */
  readonly poll: () => Promise<void>;
}

export interface Poller {
  /** Ends it; a poll under way is waited for. */
  close(): Promise<void>;
}

/** Polls until it is closed; the first time after one interval. */
export function startPolling({ seconds, random, poll }: PollOptions): Poller {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const schedule = (): void => {
    if (closed) return;
    const wait = nextPoll(seconds(), random());
    timer = setTimeout(
      () => {
        running = (wait === undefined ? Promise.resolve() : poll()).then(schedule);
      },
      wait ?? offSeconds * 1000,
    );
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
