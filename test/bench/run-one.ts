/**
 * One bench in a process of its own, so that its memory and its end are its own: named as the argument, figures go to the parent.
 * Invariant: exactly one message, the figures, or a failure's status and words.
 * Never started by hand: main does.
 */

import { benches } from './benches.ts';
import { findPeers } from './peers/peers.ts';
import { release } from './release.ts';

const bench = benches.find(({ name }) => name === process.argv[2]);
if (bench === undefined || process.send === undefined) throw new Error('started by main only');
await release();
const figures = await bench.run({
  peers: findPeers(),
  tell: (text) => process.stderr.write(`${text}\n`),
});
process.send(figures, () => process.exit(0));
