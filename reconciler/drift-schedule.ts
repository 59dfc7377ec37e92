/**
 * When drift runs are due: one cron task per environment.
 * Invariant: one task per environment and its declaration; a changed schedule replaces the old task.
 * Never runs a check itself: it only says that one is due.
 */

import { createTask, type ScheduledTask } from 'node-cron';
import type { Environment } from './policy/environment.ts';

export class DriftSchedule {
  readonly #tasks = new Map<string, { readonly key: string; readonly task: ScheduledTask }>();
  readonly #due: (environment: Environment) => void;

  constructor(due: (environment: Environment) => void) {
    this.#due = due;
  }

  /** Makes the tasks be those of these environments. */
  set(environments: readonly Environment[]): void {
    const wanted = new Map(
      environments.filter(({ drift }) => drift.mode !== 'off').map((each) => [each.name, each]),
    );
    for (const [name, { task }] of this.#tasks) {
      if (!wanted.has(name)) this.#end(name, task);
    }
    for (const environment of wanted.values()) this.#plan(environment);
  }

  stop(): void {
    for (const [name, { task }] of this.#tasks) this.#end(name, task);
  }

  #plan(environment: Environment): void {
    const { name, drift } = environment;
    const key = `${drift.schedule} ${drift.timezone} ${drift.mode}`;
    const before = this.#tasks.get(name);
    if (before?.key === key) return;
    if (before !== undefined) this.#end(name, before.task);
    const task = createTask(drift.schedule, () => this.#due(environment), {
      timezone: drift.timezone,
      noOverlap: true,
      name,
    });
    void task.start();
    this.#tasks.set(name, { key, task });
  }

  #end(name: string, task: ScheduledTask): void {
    void task.destroy();
    this.#tasks.delete(name);
  }
}
