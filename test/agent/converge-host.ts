/**
 * A temporary host for whole converge calls: real files, real programs, a journal and a lock of its own.
 * Invariant: everything stands in one directory that `remove` takes away; contents come from a map in memory.
 * For tests only.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Blobs } from '../../agent/blobs.ts';
import { type HeldPlan, runConverge } from '../../agent/converge-call.ts';
import { Journal } from '../../agent/journal.ts';
import { type Content, chunkSize } from '../../agent/protocol/blob.ts';
import type { Kind } from '../../agent/protocol/kind.ts';
import type { AgentEvent, ConvergeMessage, ConvergeResult } from '../../agent/protocol/message.ts';
import type { Meta, PlannedHandler, PlannedResource, RolePlan } from '../../agent/protocol/plan.ts';
import type { Shapes } from '../../agent/protocol/shapes/index.ts';
import { noFacts } from './test-host.ts';

/** One resource of a plan. */
export function resource<K extends Kind>(
  kind: K,
  name: string,
  wanted: Shapes[K],
  meta: Meta = {},
): PlannedResource {
  return { id: `${kind}:${name}`, kind, wanted, meta } as unknown as PlannedResource;
}

/** A program of sh, without any guard. */
export function command(name: string, script: string, meta: Meta = {}): PlannedResource {
  return resource('command', name, { argv: ['sh', '-c', script] }, meta);
}

export function planOf(
  resources: readonly PlannedResource[],
  handlers: readonly PlannedHandler[] = [],
): RolePlan {
  return { environment: 'test', host: 'h', role: 'r', resources: [...resources], handlers: [...handlers] };
}

export class ConvergeHost {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'towline-converge-')));
  readonly store = new Map<string, Buffer>();
  readonly held = new Map<string, HeldPlan>();
  readonly journal = new Journal(this.path('agent/journal'));
  readonly events: AgentEvent[] = [];
  readonly stop = new AbortController();
  #runs = 0;
  readonly blobs: Blobs = new Blobs((sha256, offset, bytes) => {
    const whole = this.store.get(sha256) ?? Buffer.alloc(0);
    for (let at = offset; at < offset + bytes; at += chunkSize)
      setImmediate(() =>
        this.blobs.chunk({
          sha256,
          offset: at,
          bytes: whole.subarray(at, Math.min(at + chunkSize, offset + bytes)),
        }),
      );
  });

  path(name: string): string {
    return join(this.root, name);
  }

  content(text: string | Buffer): Content {
    const bytes = Buffer.from(text as string);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.store.set(sha256, bytes);
    return { sha256, size: bytes.length };
  }

  file(name: string, text: string, meta: Meta = {}): PlannedResource {
    return resource(
      'file',
      name,
      { path: this.path(name), state: 'present', content: this.content(text) },
      meta,
    );
  }

  /** A command that appends a word to the log. */
  log(word: string, meta: Meta = {}): PlannedResource {
    return command(word, `echo ${word} >> ${this.path('log')}`, meta);
  }

  handler(word: string, rest: readonly PlannedResource[] = []): PlannedHandler {
    return { name: word, resources: [this.log(word), ...rest] };
  }

  /** The words logged so far. */
  logged(): string[] {
    return existsSync(this.path('log')) ? readFileSync(this.path('log'), 'utf8').trim().split('\n') : [];
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  converge(plan: RolePlan, over: Partial<ConvergeMessage> = {}): Promise<ConvergeResult> {
    this.#runs += 1;
    const message: ConvergeMessage = {
      type: 'converge',
      id: this.#runs,
      mode: 'apply',
      run: `run-${this.#runs}`,
      key: 'test/r',
      digest: 'd1',
      plan: { whole: plan },
      ...over,
    };
    return runConverge(message, {
      blobs: this.blobs,
      journal: this.journal,
      lockDirectory: this.path('agent'),
      held: this.held,
      facts: noFacts,
      stop: this.stop.signal,
      emit: (event) => this.events.push(event),
      now: () => performance.now(),
      date: () => new Date().toISOString(),
    });
  }

  check(plan: RolePlan): Promise<ConvergeResult> {
    return this.converge(plan, { mode: 'check' });
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** `id outcome` of every report, in order. */
export function ends(result: ConvergeResult): string[] {
  return result.reports.map(({ resource: id, outcome }) => `${id} ${outcome}`);
}

/** The report about a resource. */
export function reportOf(result: ConvergeResult, id: string) {
  const report = result.reports.find((each) => each.resource === id);
  if (report === undefined) throw new Error(`no report about ${id}`);
  return report;
}
