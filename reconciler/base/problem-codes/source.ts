/**
 * Problem codes of policy sources: git repositories, working trees, watching and polling them.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../../../agent/protocol/problem.ts';

const stalled = (hint: string): ProblemKind => ({ disposition: 'stalled', hint });
const retry = (hint: string): ProblemKind => ({ disposition: 'retry', hint });
const wait = (hint: string): ProblemKind => ({ disposition: 'wait', hint });

export const sourceProblems = {
  'source.bad-location': stalled(
    'Give an http(s) URL of a git repository, or the path of one on this machine.',
  ),
  'source.credentials-in-url': stalled(
    'Take user and password out of the URL and give the token in a file; URLs end up in logs.',
  ),
  'source.insecure-token': stalled('Use https for a remote that needs a token: http would send it in clear.'),
  'source.token-unreadable': stalled(
    'The token file must exist, be readable and hold the token on one line.',
  ),
  'source.fetch-failed': retry(
    'The last good revision stays in force; the fetch is tried again at the next poll.',
  ),
  'source.timeout': retry(
    'The remote was too slow; it is asked again at the next poll. Check the network to it.',
  ),
  'source.access-refused': stalled('Check that the token is valid and may read this repository.'),
  'source.moved': stalled(
    'Use the new address the remote gave; redirects are not followed, as they could lead anywhere.',
  ),
  'source.no-such-repository': stalled(
    'Check the address; a remote may also say this when access is missing.',
  ),
  'source.unsupported-repository': stalled('Use a full clone with SHA-1 objects: git clone --no-shared.'),
  'source.no-such-branch': stalled('Push the branch, or correct its name in towline.toml.'),
  'source.no-such-commit': stalled(
    'The repository no longer has this commit (history was rewritten); reconcile to a newer one.',
  ),
  'source.no-such-file': stalled(
    'Add the file to the policy and commit it, or correct the path that names it.',
  ),
  'source.unsafe-name': stalled(
    'Such a name is only made on purpose: find out who pushed it, and remove the commit.',
  ),
  'source.damaged': stalled(
    'Run git fsck on the repository; if it is Towline’s own mirror, remove it and it is fetched anew.',
  ),
  'source.too-large': stalled(
    'A policy is small: move build results, archives and vendored code out of the repository.',
  ),
  'source.unreadable': stalled('Let the account that runs Towline read this file of the working tree.'),
  'source.unsettled': wait(
    'A file of the working tree keeps changing; the tree is read as soon as it rests.',
  ),
  'source.file-changed': wait(
    'The next run takes the file as it is now; nothing half of the one and half of the other was sent.',
  ),
  'source.no-space': stalled(
    'Make room in the state directory: contents too large for memory are kept there, unnamed, while they are sent.',
  ),
  'source.repository-busy': wait(
    'Finish or abort what git is doing in the working tree (a stale index.lock may be removed by hand); Towline goes on by itself.',
  ),
  'source.mirror-in-use': wait(
    'Too many Towline processes use this state directory at once; end some of them.',
  ),
  'source.mirror-failed': stalled(
    'Check space and permissions of the state directory that holds the git mirror.',
  ),
  'source.watch-limit': stalled(
    'Until then the tree is polled. Raise the limit: sysctl fs.inotify.max_user_watches=524288 (and fs.inotify.max_user_instances=512).',
  ),
  'source.watch-failed': stalled(
    'Until the path can be watched again, it is polled; check that it exists and is readable.',
  ),
  'source.watch-unsupported': stalled(
    'Changes made elsewhere are not announced on this file system, so it is polled; nothing to do but expect seconds instead of milliseconds.',
  ),
} as const satisfies Record<string, ProblemKind>;

export type SourceProblemCode = keyof typeof sourceProblems;

/** Makes a problem with one of the source codes. */
export const sourceProblem = defineProblems<SourceProblemCode>(sourceProblems);
