/**
 * One bench in a process of its own, so that its memory and its end are its own: named as the argument, the figures of each part go to the parent.
 * Invariant: a message a part, in order; a failure's status and words are the process's.
 * Never started by hand: main does.
 */

import { benches } from './benches.ts';
import { findPeers } from './peers/peers.ts';
import { release } from './release.ts';

const bench = benches.find(({ name }) => name === process.argv[2]);
if (bench === undefined || process.send === undefined) throw new Error('started by main only');
await release();
const parent = process.send.bind(process);
const context = { peers: findPeers() };
for (const part of bench.parts) {
  const figures = await part(context);
  await new Promise((sent) => parent(figures, sent));
}
process.exit(0);
