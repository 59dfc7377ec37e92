/**
 * The process that runs role code.
 * Invariant: one request at a time; a reply leaves soon after it is known, the last one says so; ends when its client does.
 * Never decides on limits; the client ends this process when one is passed.
 */

import { writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { createAnswerer } from './evaluation/answer.ts';
import type { FromWorker, Reply, Request } from './evaluation/messages.ts';

/** Replies known within so many milliseconds travel together; waiting longer would leave the client idle meanwhile. */
const gathering = 5;

const answer = createAnswerer();

// A terminal and systemd signal every process of a command; the client decides what becomes of this one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
process.on('message', (request: Request) => void serve(request));

goFirst();
const watch = import.meta.url.endsWith('.ts') ? './worker-watch.ts' : './policy-watch.js';
new Worker(new URL(watch, import.meta.url)).unref();
void say({ type: 'ready' });

async function serve(request: Request): Promise<void> {
  let replies: Reply[] = [];
  let since = performance.now();
  for (const reply of answer(request)) {
    replies.push(reply);
    if (performance.now() - since < gathering) continue;
    await say({ type: 'replies', replies, isLast: false });
    replies = [];
    since = performance.now();
  }
  await say({ type: 'replies', replies, isLast: true });
}

/** Settles when it has left, or never can. */
function say(message: FromWorker): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

/** When the machine runs out of memory, this process is the one to end; what it held goes into no core file. See proc(5). */
function goFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch {
    // A machine that does not offer this goes by its own rules.
  }
}
