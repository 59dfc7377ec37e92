/**
 * Gives the agent's code as it travels: one compressed CommonJS file and its hash, made once per process.
 * Invariant: sha256 is the hash of exactly the compressed bytes; the code needs nothing but Node ≥ 18.
 * Never writes a file.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { ProblemError } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';

export interface AgentBundle {
  readonly code: Buffer;
  readonly compressed: Buffer;
  readonly compression: 'brotli' | 'deflate';
  /** Of the compressed bytes. */
  readonly sha256: string;
  /** Bytes of code, before compression. */
  readonly size: number;
}

const source = new URL('../../agent/main.ts', import.meta.url);
/** Beside the bundle of a release. */
const released = new URL('./agent.cjs', import.meta.url);

let bundle: Promise<AgentBundle> | undefined;

/** The agent of this Towline. Throws a ProblemError, runtime.no-agent, when there is no code. */
export function agentBundle(): Promise<AgentBundle> {
  bundle ??= loadCode().then(packAgent);
  bundle.catch(() => {
    bundle = undefined;
  });
  return bundle;
}

/** Compresses an agent's code for the way. */
export async function packAgent(code: Buffer): Promise<AgentBundle> {
  const compressed = await promisify(brotliCompress)(code, {
    params: {
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_QUALITY]: 9,
      [constants.BROTLI_PARAM_SIZE_HINT]: code.length,
    },
  });
  const sha256 = createHash('sha256').update(compressed).digest('hex');
  return { code, compressed, compression: 'brotli', sha256, size: code.length };
}

async function loadCode(): Promise<Buffer> {
  try {
    return existsSync(released) ? await readFile(released) : await bundleAgent(fileURLToPath(source));
  } catch (error) {
    throw new ProblemError(connectionProblem('runtime.no-agent', (error as Error).message.slice(0, 1000)));
  }
}

/** Bundles an agent's entry into one CommonJS text for Node 18. */
export async function bundleAgent(entry: string): Promise<Buffer> {
  const { build } = await import('esbuild');
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    target: 'node18',
    format: 'cjs',
    charset: 'utf8',
    minify: true,
    write: false,
    logLevel: 'silent',
    legalComments: 'none',
  });
  const text = built.outputFiles[0];
  if (text === undefined) throw new Error(`esbuild made nothing of ${entry}`);
  return Buffer.from(text.contents);
}
