import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../../agent/protocol/problem.ts';
import { agentProblem } from '../../../agent/protocol/problem-codes.ts';
import { guarded, systemError } from '../../../agent/system/errors.ts';

const errno = (code: string) => Object.assign(new Error(`${code}: text`), { code });

describe('systemError', () => {
  it.each([
    ['write', 'ENOSPC', 'file.disk-full'],
    ['write', 'EDQUOT', 'file.disk-full'],
    ['write', 'EROFS', 'file.read-only'],
    ['write', 'EACCES', 'file.not-permitted'],
    ['write', 'EPERM', 'file.not-permitted'],
    ['write', 'ENOENT', 'file.parent-missing'],
    ['write', 'ENOTDIR', 'file.wrong-type'],
    ['write', 'EISDIR', 'file.wrong-type'],
    ['write', 'ENOTEMPTY', 'resource.failed'],
    ['write', 'EWEIRD', 'resource.failed'],
    ['read', 'EACCES', 'file.unreadable'],
    ['read', 'EIO', 'file.unreadable'],
    ['read', 'EISDIR', 'file.wrong-type'],
    ['read', 'ELOOP', 'file.wrong-type'],
  ] as const)('on %s makes %s %s', (intent, code, problem) => {
    const error = systemError(errno(code), intent, 'touch /x');
    expect(error.problem.code).toBe(problem);
    expect(error.message).toMatch(/^cannot touch \/x: /);
  });

  it('keeps a problem as it is and says the text of anything else', async () => {
    const known = new ProblemError(agentProblem('file.invalid', 'no'));
    expect(systemError(known, 'write', 'x')).toBe(known);
    const failing = guarded('read', 'see', () => Promise.reject(new Error('odd')));
    await expect(failing).rejects.toThrow('cannot see: odd');
    expect(systemError('text', 'read', 'see').message).toBe('cannot see: text');
  });
});
