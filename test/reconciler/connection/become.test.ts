import { describe, expect, it } from 'vitest';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { BecomeMethod } from '../../../inventory/connection-spec.ts';
import { becomeRefusal, planBecome } from '../../../reconciler/connection/become.ts';

const password = new Secret('hunter2');

describe('becoming another account', () => {
  it.each<[BecomeMethod, boolean, string]>([
    ['sudo', false, 'sudo -n -H -u app --'],
    ['sudo', true, 'sudo -S -p MARK -H -u app --'],
    ['su', false, 'su -s /bin/sh app -c'],
    ['su', true, 'su -s /bin/sh app -c'],
    ['doas', false, 'doas -n -u app'],
    ['doas', true, 'doas -u app'],
  ])('%s with a password given (%s) starts with: %s', (method, asks, words) => {
    const plan = planBecome({ method, user: 'app', ...(asks && { password }) }, 'MARK');
    expect(plan.words.join(' ')).toBe(words);
    expect(plan.prompt !== undefined).toBe(asks);
    expect(plan.pty).toBe(method === 'doas' && asks);
    expect(JSON.stringify(plan)).not.toContain('hunter2');
  });

  it('recognises each program’s prompt', () => {
    expect(planBecome({ method: 'sudo', user: 'a', password }, 'MARK').prompt?.test('lecture\nMARK')).toBe(
      true,
    );
    expect(planBecome({ method: 'su', user: 'a', password }, '').prompt?.test('Password: ')).toBe(true);
    expect(
      planBecome({ method: 'doas', user: 'a', password }, '').prompt?.test('doas (me@h) password: '),
    ).toBe(true);
  });

  it.each<[BecomeMethod, string, number | null, string | undefined]>([
    ['sudo', 'sudo: a password is required', 1, 'become.password-required'],
    ['sudo', 'me is not in the sudoers file.', 1, 'become.not-permitted'],
    ['sudo', 'Sorry, user me is not allowed to execute /bin/sh as app on h.', 1, 'become.not-permitted'],
    ['sudo', 'sudo: sorry, you must have a tty to run sudo', 1, 'become.tty-required'],
    ['sudo', 'sudo: unknown user app', 1, 'become.unknown-user'],
    ['sudo', 'sudo: 1 incorrect password attempt', 1, 'become.wrong-password'],
    ['sudo', 'env: ‘sudo’: No such file or directory', 127, 'become.unavailable'],
    ['sudo', 'Killed', 137, undefined],
    [
      'su',
      'su: user app does not exist or the user entry does not contain all the required fields',
      1,
      'become.unknown-user',
    ],
    ['su', 'Password: \nsu: Authentication failure', 1, 'become.wrong-password'],
    ['su', 'su: must be run from a terminal', 1, 'become.tty-required'],
    ['doas', 'doas: Operation not permitted', 1, 'become.not-permitted'],
    ['doas', 'doas: a tty is required', 1, 'become.tty-required'],
  ])('%s saying “%s” means %s', (method, said, status, code) => {
    expect(becomeRefusal({ method, user: 'app', password }, said, status)?.code).toBe(code);
  });

  it('asks for a password instead of calling an empty one wrong', () => {
    const spec = { method: 'doas', user: 'app' } as const;
    expect(becomeRefusal(spec, 'doas: Authentication required', 1)?.code).toBe('become.password-required');
    expect(becomeRefusal({ method: 'sudo', user: 'app' }, '', 127)?.message).toContain('without a word');
  });
});
