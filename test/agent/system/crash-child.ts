/**
 * Replaces one file again and again, with all-A or all-B content in turn, until it is killed.
 * Invariant: says a line on stdout before each replacement.
 * For crash-safety.test.ts only.
 */
import { PosixSystem } from '../../../agent/system/posix.ts';
import { noFacts, TestContents } from '../test-host.ts';

const path = process.argv[2] ?? '';
const system = new PosixSystem({ facts: noFacts, contents: new TestContents(), memory: new Map() });
for (let round = 0; ; round += 1) {
  process.stdout.write('.\n');
  const letter = round % 2 === 0 ? 'A' : 'B';
  await system.replaceFile(path, { text: letter.repeat(300_000) }, { mode: '0640' });
}
