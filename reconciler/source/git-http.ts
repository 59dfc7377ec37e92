/**
 * The HTTP client under isomorphic-git: the platform's fetch with a deadline, a size limit and a token.
 * Invariant: an ERR packet is an error, not an empty answer; the token goes to the given origin only, and never over plain http.
 * Never follows a redirect.
 */

import { readFile } from 'node:fs/promises';
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';
import { ProblemError } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import { plainText } from './git-problem.ts';
import { type TreeLimits, tooManyBytes } from './limits.ts';

export interface HttpOptions {
  readonly url: string;
  readonly signal: AbortSignal;
  readonly limits: TreeLimits;
  /** File with an access token on its first line; read at every fetch, so it may be rotated. */
  readonly tokenFile?: string | undefined;
}

/** A client for one fetch from one remote. Throws ProblemError when the token cannot be used. */
export async function createHttpClient(options: HttpOptions): Promise<HttpClient> {
  const authorization = await readAuthorization(options);
  return { request: (request) => send(request, options, authorization) };
}

async function readAuthorization(options: HttpOptions): Promise<string | undefined> {
  if (options.tokenFile === undefined) return undefined;
  const { protocol, hostname, host } = new URL(options.url);
  if (protocol !== 'https:' && !['127.0.0.1', '[::1]', 'localhost'].includes(hostname)) {
    throw new ProblemError(
      sourceProblem('source.insecure-token', `a token is set for ${host}, which is plain http`),
    );
  }
  const text = await readFile(options.tokenFile, 'utf8').catch(() => '');
  const token = text.split('\n')[0]?.trim() ?? '';
  if (token === '') {
    const message = `no token could be read from ${options.tokenFile}`;
    throw new ProblemError(sourceProblem('source.token-unreadable', message));
  }
  return `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
}

async function send(
  request: GitHttpRequest,
  options: HttpOptions,
  authorization: string | undefined,
): Promise<GitHttpResponse> {
  const body = request.body === undefined ? undefined : await gather(request.body);
  const headers = { ...request.headers, ...(authorization !== undefined && { authorization }) };
  const init: RequestInit = {
    method: request.method ?? 'GET',
    headers,
    redirect: 'manual',
    signal: options.signal,
  };
  return reached(options.url, async () => {
    const response = await fetch(request.url, body === undefined ? init : { ...init, body });
    await refuseRedirect(response, options.url);
    const chunks = await readBody(response, options);
    refuseErrorPacket(chunks, options.url);
    return {
      url: request.url,
      method: request.method,
      headers: Object.fromEntries(response.headers),
      statusCode: response.status,
      statusMessage: response.statusText,
      body: iterate(chunks),
    };
  });
}

/** Whatever else a network can do wrong is a failed fetch: the list of its error codes has no end. */
async function reached<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProblemError || !(error instanceof Error)) throw error;
    if (error.name === 'TimeoutError') {
      throw new ProblemError(sourceProblem('source.timeout', `${url} did not answer in time`));
    }
    const cause = error.cause instanceof Error ? error.cause : error;
    const reason = plainText(cause.message === '' ? String(Reflect.get(cause, 'code')) : cause.message);
    throw new ProblemError(sourceProblem('source.fetch-failed', `${url} cannot be reached: ${reason}`));
  }
}

async function refuseRedirect(response: Response, url: string): Promise<void> {
  if (response.status < 300 || response.status >= 400) return;
  await response.body?.cancel();
  const target = plainText(response.headers.get('location') ?? 'an address it does not name');
  throw new ProblemError(sourceProblem('source.moved', `${url} has moved to ${target}`));
}

async function gather(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

async function readBody(response: Response, options: HttpOptions): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > options.limits.bytes) throw new ProblemError(tooManyBytes(options.url, options.limits));
    chunks.push(chunk);
  }
  return chunks;
}

async function* iterate(chunks: readonly Uint8Array[]): AsyncIterableIterator<Uint8Array> {
  yield* chunks;
}

/** isomorphic-git takes an ERR packet for an answer without objects; the first packets are looked at for one. */
function refuseErrorPacket(chunks: readonly Uint8Array[], url: string): void {
  const message = errorPacket(Buffer.concat(chunks.slice(0, 4)).subarray(0, 4096));
  if (message === undefined) return;
  throw new ProblemError(sourceProblem('source.fetch-failed', `${url} says: ${plainText(message)}`));
}

/** The text of an ERR packet among the first three packets of a reply. Pure. */
export function errorPacket(start: Buffer): string | undefined {
  let offset = 0;
  for (let packet = 0; packet < 3; packet += 1) {
    const header = start.toString('latin1', offset, offset + 4);
    if (!/^[0-9a-f]{4}$/i.test(header)) return undefined;
    const length = Number.parseInt(header, 16);
    const payload = start.toString('utf8', offset + 4, offset + length);
    if (payload.startsWith('ERR ')) return payload.slice(4);
    offset += Math.max(length, 4);
  }
  return undefined;
}
