/**
 * The system's git, where there is one, for what the in-process one cannot do in bounded memory: sizes and large blobs.
 * Invariant: reads only, of the one repository it was made for; nothing of the surroundings' git settings reaches it.
 * Never fetches: a missing object is missing.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Milliseconds after the last question. */
const idleMilliseconds = 2000;

export interface SystemGit {
  /** The size of a blob; undefined when git or the blob is not there. */
  sizeOf(id: string): Promise<number | undefined>;
  /** Writes a blob's bytes to an open file; false when it could not. */
  writeBlob(id: string, fileDescriptor: number): Promise<boolean>;
  rest(): void;
}

interface Asking {
  readonly child: ChildProcessWithoutNullStreams;
  /** Answers come in the order of the questions. */
  readonly waiting: ((line: string | undefined) => void)[];
  idle: NodeJS.Timeout | undefined;
}

/** Git for the repository in this directory. */
export function createSystemGit(gitDirectory: string): SystemGit {
  let asking: Asking | undefined;
  const rest = (): void => {
    asking?.child.kill();
    asking = undefined;
  };
  return {
    async sizeOf(id) {
      asking ??= startAsking(gitDirectory, (ended) => {
        if (asking === ended) asking = undefined;
      });
      const { child, waiting } = asking;
      clearTimeout(asking.idle);
      keepAlive(child, true);
      const line = await new Promise<string | undefined>((resolve) => {
        waiting.push(resolve);
        child.stdin.write(`${id}\n`);
      });
      if (asking !== undefined && waiting.length === 0) {
        keepAlive(asking.child, false);
        clearTimeout(asking.idle);
        asking.idle = setTimeout(rest, idleMilliseconds).unref();
      }
      const [found, type, size] = line?.split(' ') ?? [];
      return found === id && type === 'blob' ? Number(size) : undefined;
    },
    writeBlob: (id, fileDescriptor) =>
      new Promise((resolve) => {
        const child = spawn('git', gitArguments(gitDirectory, ['cat-file', 'blob', id]), {
          env: gitEnvironment(),
          stdio: ['ignore', fileDescriptor, 'ignore'],
        });
        child.once('error', () => resolve(false));
        child.once('close', (status) => resolve(status === 0));
      }),
    rest,
  };
}

function startAsking(gitDirectory: string, onEnd: (asking: Asking) => void): Asking {
  const argv = gitArguments(gitDirectory, ['cat-file', '--batch-check']);
  const child = spawn('git', argv, { env: gitEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
  const asking: Asking = { child, waiting: [], idle: undefined };
  const end = (): void => {
    onEnd(asking);
    for (const answer of asking.waiting.splice(0)) answer(undefined);
  };
  child.once('error', end).once('close', end);
  child.stdin.on('error', end);
  child.stderr.resume();
  createInterface({ input: child.stdout }).on('line', (line) => asking.waiting.shift()?.(line));
  return asking;
}

/** Only a question that waits for its answer keeps this process from ending. */
function keepAlive(child: ChildProcessWithoutNullStreams, isWaiting: boolean): void {
  const streams = [child.stdin, child.stdout, child.stderr] as unknown as ChildProcessWithoutNullStreams[];
  for (const handle of [child, ...streams]) {
    if (isWaiting) handle.ref();
    else handle.unref();
  }
}

/** No replacement, no lazy fetch, no program named by a setting. */
function gitArguments(gitDirectory: string, command: readonly string[]): string[] {
  return ['--no-replace-objects', '-c', 'protocol.allow=never', `--git-dir=${gitDirectory}`, ...command];
}

function gitEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' };
}
