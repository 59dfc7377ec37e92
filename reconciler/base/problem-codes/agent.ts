/**
 * What to do about the agent's and the protocol's problems: the hints, kept off the hosts.
 * Invariant: complete over the agent's codes by type; a problem from a host gets its hint where its message is read.
 * Never decides anything; the disposition comes with the code.
 */

import type { Problem, ProblemDetails, ProblemKind } from '../../../agent/protocol/problem.ts';
import { type AgentProblemCode, agentProblem, dispositionOf } from '../../../agent/protocol/problem-codes.ts';

const hints: Readonly<Record<AgentProblemCode, string>> = {
  'protocol.frame-too-large':
    'The peer sent more than the agreed limit; the line is dropped and opened anew.',
  'protocol.bad-frame':
    'Something wrote to the agent’s channel that is not a frame; look for programs printing at login.',
  'protocol.bad-message':
    'The peer’s message does not have the agreed form; both sides must run the same Towline.',
  'protocol.version-mismatch': 'Close the line and let the reconciler ship its own agent.',
  'protocol.illegal-state': 'A message arrived that its session state does not allow; please report it.',
  'agent.busy': 'Another run holds this host; it is retried when that run has ended.',
  'agent.plan-not-held': 'The reconciler sends the whole plan again.',
  'agent.cancelled': 'The run was cancelled at a resource boundary; the next run continues.',
  'agent.link-lost': 'The reconciler went away; the journal tells the next session what was done.',
  'agent.internal': 'This is a defect of Towline; please report it with the resource that caused it.',
  'agent.no-facts': 'Reading this fact failed; roles that need it are not evaluated.',
  'agent.too-many-programs':
    'So many connections lead through this host already; give some of them another way (via).',
  'blob.refused': 'The agent asked for content that its plan does not name.',
  'blob.corrupt': 'The content did not have the announced hash; it is sent again on the next run.',
  'blob.missing': 'The plan names content that the reconciler does not have.',
  'resource.failed': 'Read the message and mend the role or the host.',
  'resource.not-converged':
    'The change was made, but looking again shows it is not in force: something else writes here, or the resource contradicts another.',
  'resource.surprise': 'What was done is not what was announced; please report the resource.',
  'resource.timeout': 'Raise the resource’s timeout, or find out why it takes so long.',
  'resource.condition-failed': 'The failedWhen condition of the resource holds.',
  'resource.stopped': 'The role asked to stop here.',
  'resource.assertion': 'An assertion of the role does not hold on this host.',
  'file.unreadable': 'Check the path and its permissions on the host.',
  'file.missing': 'Set create to make the file, or add a file resource before this one.',
  'file.mount-point': 'Unmount it first, or leave this path out.',
  'file.wrong-type':
    'Something of another type is at this path; move it away or set force where the kind has it.',
  'file.parent-missing': 'Add a directory resource for the parent before this one.',
  'file.not-permitted': 'The agent’s account may not write here; use become, or another path.',
  'file.disk-full':
    'Free space (or inodes) on the file system, then reconcile again; the old content is untouched.',
  'file.read-only': 'The file system is mounted read-only; remount it, then reconcile again.',
  'file.invalid': 'The validate command refused the new content; the old content is still in force.',
  'file.too-large': 'The file is larger than Towline reads into memory for this kind.',
  'file.unknown-owner':
    'The user or group does not exist on the host; add a user or group resource before this one.',
  'template.failed': 'Mend the template; the place names its line and column.',
  'command.failed': 'The command ended with an error; its last lines are shown.',
  'command.not-found': 'Install the program first, or give its full path.',
  'command.no-directory': 'Create the working directory with a resource before this one.',
  'package.conflict': 'Put a resource that marks the conflicting package absent right beside this one.',
  'package.failed': 'The package manager refused; its last lines are shown.',
  'package.unknown': 'No configured repository has this package; check the name and the package sources.',
  'package.locked': 'Another process holds the package database; it is tried again.',
  'package.unsupported': 'This host has no package manager that Towline can drive.',
  'service.unsupported':
    'No systemd runs on this host (containers often have none); skip the resource with a condition on facts.initSystem.',
  'service.unknown': 'systemd knows no such unit; install its package first or check the name.',
  'service.failed': 'The unit did not reach the wanted state; read its log with journalctl -u.',
  'account.failed': 'The account tool refused; its last lines are shown.',
  'account.no-group': 'Add a group resource for each before this one.',
  'account.bad-key': 'Give the one line of a .pub file: type, base64 text, comment.',
  'account.unsafe-keys': 'Look at who made it so, then put back a plain directory and file of this user.',
  'account.no-shadow': 'Connect as root, or use become, where passwords are managed.',
  'account.bad-hash': 'Make one with `openssl passwd -6` or mkpasswd.',
  'account.no-password': 'Give a passwordHash too, or leave locked out.',
  'account.conflict': 'The wanted id or name is taken by another account.',
};

/** The registry: disposition and hint of each code. */
export const agentProblems: Readonly<Record<string, ProblemKind>> = Object.fromEntries(
  Object.entries(hints).map(([code, hint]) => [
    code,
    { disposition: dispositionOf(code as AgentProblemCode), hint },
  ]),
);

/** Makes a problem with one of the agent's codes on this side of the line. */
export function hintedAgentProblem(
  code: AgentProblemCode,
  message: string,
  details: ProblemDetails = {},
): Problem {
  return { ...agentProblem(code, message), hint: hints[code], ...details };
}

/** The same value with the hint of every problem in it that has none; what needs nothing is given back as it is. */
export function withHints<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return mapChanged(value, withHints) as T;
  const entries = Object.entries(value);
  let changed = false;
  const filled = entries.map(([name, member]) => {
    const next = name === 'hint' && member === '' ? hintOf(value) : withHints(member);
    changed ||= next !== member;
    return [name, next] as const;
  });
  return changed ? (Object.fromEntries(filled) as T) : value;
}

function hintOf(problem: object): string {
  const code = 'code' in problem ? String(problem.code) : '';
  return Object.hasOwn(hints, code) ? hints[code as AgentProblemCode] : '';
}

function mapChanged(list: readonly unknown[], map: (item: unknown) => unknown): readonly unknown[] {
  const mapped = list.map(map);
  return mapped.some((item, index) => item !== list[index]) ? mapped : list;
}
