/**
 * The worker thread that runs role code.
 * Invariant: one request at a time, each reply posted as soon as it is known, `done` after the last.
 * Never decides on limits; the client ends this thread when one is passed.
 */

import { parentPort } from 'node:worker_threads';
import { createAnswerer } from './evaluation/answer.ts';
import type { Request } from './evaluation/messages.ts';

const answer = createAnswerer();

parentPort?.on('message', (request: Request) => {
  answer(request, (reply) => parentPort?.postMessage(reply));
  parentPort?.postMessage({ type: 'done' });
});
parentPort?.postMessage({ type: 'ready' });
