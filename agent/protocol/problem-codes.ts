/**
 * The agent's and the protocol's problem codes.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from './problem.ts';

const stalled = (hint: string): ProblemKind => ({ disposition: 'stalled', hint });
const retry = (hint: string): ProblemKind => ({ disposition: 'retry', hint });
const wait = (hint: string): ProblemKind => ({ disposition: 'wait', hint });
const defect = (hint: string): ProblemKind => ({ disposition: 'defect', hint });

export const agentProblems = {
  'protocol.frame-too-large': defect(
    'The peer sent more than the agreed limit; the line is dropped and opened anew.',
  ),
  'protocol.bad-frame': defect(
    'Something wrote to the agent’s channel that is not a frame; look for programs printing at login.',
  ),
  'protocol.bad-message': defect(
    'The peer’s message does not have the agreed form; both sides must run the same Towline.',
  ),
  'protocol.version-mismatch': defect('Close the line and let the reconciler ship its own agent.'),
  'protocol.illegal-state': defect(
    'A message arrived that its session state does not allow; please report it.',
  ),
  'agent.busy': wait('Another run holds this host; it is retried when that run has ended.'),
  'agent.plan-not-held': retry('The reconciler sends the whole plan again.'),
  'agent.cancelled': retry('The run was cancelled at a resource boundary; the next run continues.'),
  'agent.link-lost': retry('The reconciler went away; the journal tells the next session what was done.'),
  'agent.internal': defect('This is a defect of Towline; please report it with the resource that caused it.'),
  'agent.no-facts': retry('Reading this fact failed; roles that need it are not evaluated.'),
  'blob.refused': defect('The agent asked for content that its plan does not name.'),
  'blob.corrupt': retry('The content did not have the announced hash; it is sent again on the next run.'),
  'blob.missing': defect('The plan names content that the reconciler does not have.'),
  'resource.failed': stalled('Read the message and mend the role or the host.'),
  'resource.not-converged': stalled(
    'The change was made, but looking again shows it is not in force: something else writes here, or the resource contradicts another.',
  ),
  'resource.surprise': defect('What was done is not what was announced; please report the resource.'),
  'resource.timeout': stalled('Raise the resource’s timeout, or find out why it takes so long.'),
  'resource.requires-failed': stalled('Mend the resource it requires first.'),
  'resource.condition-failed': stalled('The failedWhen condition of the resource holds.'),
  'resource.unknown-result': stalled(
    'A condition names a registered result that does not exist (yet) on this host.',
  ),
  'resource.stopped': stalled('The role asked to stop here.'),
  'resource.assertion': stalled('An assertion of the role does not hold on this host.'),
  'file.unreadable': stalled('Check the path and its permissions on the host.'),
  'file.wrong-type': stalled(
    'Something of another type is at this path; move it away or set force where the kind has it.',
  ),
  'file.parent-missing': stalled('Add a directory resource for the parent before this one.'),
  'file.not-permitted': stalled('The agent’s account may not write here; use become, or another path.'),
  'file.disk-full': stalled(
    'Free space (or inodes) on the file system, then reconcile again; the old content is untouched.',
  ),
  'file.read-only': stalled('The file system is mounted read-only; remount it, then reconcile again.'),
  'file.invalid': stalled('The validate command refused the new content; the old content is still in force.'),
  'file.too-large': stalled('The file is larger than Towline reads into memory for this kind.'),
  'file.unknown-owner': stalled(
    'The user or group does not exist on the host; add a user or group resource before this one.',
  ),
  'template.failed': stalled('Mend the template; the place names its line and column.'),
  'command.failed': stalled('The command ended with an error; its last lines are shown.'),
  'command.not-found': stalled('Install the program first, or give its full path.'),
  'package.failed': stalled('The package manager refused; its last lines are shown.'),
  'package.unknown': stalled(
    'No configured repository has this package; check the name and the package sources.',
  ),
  'package.locked': retry('Another process holds the package database; it is tried again.'),
  'package.unsupported': stalled('This host has no package manager that Towline can drive.'),
  'service.unsupported': stalled(
    'No systemd runs on this host (containers often have none); skip the resource with a condition on facts.initSystem.',
  ),
  'service.unknown': stalled('systemd knows no such unit; install its package first or check the name.'),
  'service.failed': stalled('The unit did not reach the wanted state; read its log with journalctl -u.'),
  'account.failed': stalled('The account tool refused; its last lines are shown.'),
  'account.conflict': stalled('The wanted id or name is taken by another account.'),
} as const satisfies Record<string, ProblemKind>;

export type AgentProblemCode = keyof typeof agentProblems;

/** Makes a problem with one of the agent's codes. */
export const agentProblem = defineProblems<AgentProblemCode>(agentProblems);
