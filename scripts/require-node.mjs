/**
 * Stops test and build commands that would run on a Node too old for them.
 * Invariant: below the needed version the exit status is 1 and the message names the fix.
 * Never uses syntax or APIs a Node from 2019 lacks, or the message could not appear.
 */

const needed = 24;
const found = process.versions.node;

if (Number(found.split('.')[0]) < needed) {
  process.stderr.write(
    [
      `Towline needs Node ${needed} or newer; this is Node ${found} (${process.execPath}).`,
      'The lock file brings a fitting Node for Linux on x64 and arm64 as an optional dependency. To get it:',
      '  npm ci --include=optional     and then start commands through npm, as in: npm test',
      'On other systems install Node 24 from https://nodejs.org and run npm ci again.',
      '',
    ].join('\n'),
  );
  process.exit(1);
}
