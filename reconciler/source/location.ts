/**
 * Reads where a policy is: an http(s) remote, or a path on this machine.
 * Invariant: a location that is accepted holds no credentials.
 * Pure.
 */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';

export type Location =
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'local'; readonly path: string };

const sshForm = /^(?:[^/\s@]+@)?[^/\s:]+:(?!\/\/)/;

/** The location that a person wrote; relative paths count from `directory`. */
export function parseLocation(text: string, directory: string): Result<Location> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === 'http' || scheme === 'https') return parseRemote(text);
  if (scheme === 'file') return parseFileUrl(text);
  if (scheme !== undefined) return unsupported(`${scheme}:// is not supported`);
  if (sshForm.test(text)) return unsupported(`${text} looks like an SSH remote`);
  if (text === '') return unsupported('the location of the policy is empty');
  return success({ kind: 'local', path: resolve(directory, text) });
}

function parseRemote(text: string): Result<Location> {
  if (!URL.canParse(text)) return unsupported('the URL of the policy cannot be read');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    const message = `the URL of the policy on ${url.host} holds a user name or password`;
    return failure(sourceProblem('source.credentials-in-url', message));
  }
  if (url.search !== '' || url.hash !== '')
    return unsupported(`${url.origin}${url.pathname} has a query or fragment`);
  return success({ kind: 'remote', url: url.href.replace(/\/+$/, '') });
}

function parseFileUrl(text: string): Result<Location> {
  try {
    return success({ kind: 'local', path: fileURLToPath(text) });
  } catch {
    return unsupported(`${text} does not name a file of this machine`);
  }
}

function unsupported(message: string): Result<Location> {
  const hint =
    'Give an http(s) URL or a path. For an SSH remote, keep a local clone up to date and give its path.';
  return failure(sourceProblem('source.bad-location', message, { hint }));
}
