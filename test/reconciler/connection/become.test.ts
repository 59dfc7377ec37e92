import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { BecomeMethod } from '../../../inventory/connection-spec.ts';
import { becomeRefusal, planBecome, withoutPrompts } from '../../../reconciler/connection/become.ts';
import { answerPrompt } from '../../../reconciler/connection/become-dialogue.ts';

const password = new Secret('hunter2');

describe('becoming another account', () => {
  it.each<[BecomeMethod, boolean, string]>([
    ['sudo', false, 'sudo -n -H -u app --'],
    ['sudo', true, 'sudo -k -S -p MARK -H -u app --'],
    ['su', false, 'su -s /bin/sh app -c'],
    ['su', true, 'su -s /bin/sh app -c'],
    ['doas', false, 'doas -n -u app --'],
    ['doas', true, 'doas -u app --'],
  ])('%s with a password given (%s) starts with: %s', (method, asks, words) => {
    const plan = planBecome({ method, user: 'app', ...(asks && { password }) }, 'MARK');
    expect(plan.words.join(' ')).toBe(words);
    expect(plan.prompt !== undefined).toBe(asks || method === 'su');
    expect(plan.pty).toBe(method === 'doas' && asks);
    expect(JSON.stringify(plan)).not.toContain('hunter2');
  });

  it('recognises each program’s prompt', () => {
    const prompt = (method: BecomeMethod, marker = ''): RegExp | undefined =>
      planBecome({ method, user: 'a', password }, marker).prompt;
    expect(prompt('sudo', 'MARK')?.test('lecture\nMARK')).toBe(true);
    expect(prompt('sudo', 'MARK')?.test('[sudo: authenticate] MARK')).toBe(true);
    expect(prompt('su')?.test('Password: ')).toBe(true);
    expect(prompt('doas')?.test('doas (me@h) password: ')).toBe(true);
  });

  it.each<[BecomeMethod, string, number | null, string | undefined]>([
    ['sudo', 'sudo: a password is required', 1, 'become.password-required'],
    ['sudo', 'me is not in the sudoers file.', 1, 'become.not-permitted'],
    ['sudo', 'Sorry, user me is not allowed to execute /bin/sh as app on h.', 1, 'become.not-permitted'],
    ['sudo', 'sudo: sorry, you must have a tty to run sudo', 1, 'become.tty-required'],
    ['sudo', 'sudo: unknown user app\nsudo: error initializing audit plugin', 1, 'become.unknown-user'],
    ['sudo', 'sudo: 1 incorrect password attempt', 1, 'become.wrong-password'],
    ['sudo', 'sudo: account validation failure, is your account locked?', 1, 'become.account-expired'],
    ['sudo', 'sudo: Account or password is expired, reset your password', 1, 'become.account-expired'],
    ['sudo', '/etc/sudoers:3:18: syntax error\nsudo: a password is required', 1, 'become.misconfigured'],
    [
      'sudo',
      'sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set',
      1,
      'become.misconfigured',
    ],
    ['sudo', 'env: ‘sudo’: No such file or directory', 127, 'become.unavailable'],
    ['sudo', 'Verification code:', null, 'become.other-question'],
    ['sudo', 'Killed', 137, undefined],
    ['sudo', 'still loading', null, undefined],
    ['su', 'su: user app does not exist or the user entry does not', 1, 'become.unknown-user'],
    ['su', 'Password: \nsu: Authentication failure', 1, 'become.wrong-password'],
    ['su', 'su: must be run from a terminal', 1, 'become.tty-required'],
    ['su', 'Password: su: Permission denied', 1, 'become.not-permitted'],
    ['su', 'su: using restricted shell /usr/sbin/nologin', 1, 'become.no-shell'],
    ['su', 'Your account has expired; please ask.\nsu: Authentication failure', 1, 'become.account-expired'],
    ['su', 'su: cannot set groups: Operation not permitted', 1, 'become.misconfigured'],
    ['doas', 'doas: Operation not permitted', 1, 'become.not-permitted'],
    ['doas', 'doas: a tty is required', 1, 'become.tty-required'],
    ['doas', 'doas: doas is not enabled, /etc/doas.conf: No such file', 1, 'become.misconfigured'],
    ['doas', 'doas: not installed setuid', 1, 'become.misconfigured'],
  ])('%s saying “%s” means %s', (method, said, status, code) => {
    expect(becomeRefusal({ method, user: 'app', password }, said, status)?.code).toBe(code);
  });

  // The sentences of sudo-rs as its source has them, 0.2.0 to 0.2.14.
  it.each<[string, string]>([
    ['sudo: interactive authentication is required', 'become.password-required'],
    ['sudo: Authentication required but not attempted', 'become.password-required'],
    ['sudo: Maximum 3 incorrect authentication attempts', 'become.wrong-password'],
    ['sudo: Authentication failed, try again.', 'become.wrong-password'],
    ["sudo: I'm sorry me. I'm afraid I can't do that", 'become.not-permitted'],
    ["sudo: Sorry, user me is not allowed to execute '/usr/bin/sh' as app on h.", 'become.not-permitted'],
    ['sudo: Sorry, user me may not run sudo on h.', 'become.not-permitted'],
    ["sudo: user 'app' not found", 'become.unknown-user'],
    ['sudo: A terminal is required to authenticate', 'become.tty-required'],
    ['sudo: Account validation failure, is your account locked?', 'become.account-expired'],
    ['sudo: Account or password is expired, reset your password and try again', 'become.account-expired'],
    ['sudo: Password expired, contact your system administrator', 'become.account-expired'],
    ['sudo: PAM error: User account has expired', 'become.account-expired'],
    ['sudo: sudo must be owned by uid 0 and have the setuid bit set', 'become.misconfigured'],
    ['sudo: invalid configuration: no such file', 'become.misconfigured'],
  ])('sudo-rs saying “%s” means %s', (said, code) => {
    expect(becomeRefusal({ method: 'sudo', user: 'app', password }, said, 1)?.code).toBe(code);
  });

  it('asks for a password instead of calling an empty one wrong', () => {
    const spec = { method: 'doas', user: 'app' } as const;
    expect(becomeRefusal(spec, 'doas: Authentication required', 1)?.code).toBe('become.password-required');
    expect(becomeRefusal({ method: 'sudo', user: 'app' }, '', 127)?.message).toContain('without a word');
  });

  it('tells the line that says why, without the prompts in front of it', () => {
    const marker = '68d445948ed6803db023cc6466f2346a';
    const spec = { method: 'sudo', user: 'root', password } as const;
    const said = `sudo: unable to resolve host h\n[sudo: authenticate] ${marker}me is not in the sudoers file.\nbye`;
    expect(becomeRefusal(spec, said, 1)?.message).toBe('sudo to root: me is not in the sudoers file.');
    expect(withoutPrompts(`${marker}\r\n\nPassword: su: no\nPassword: `)).toEqual(['su: no', 'Password:']);
  });
});

describe('answering the prompt', () => {
  function conversation(method: BecomeMethod, secret?: Secret) {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const spec = { method, user: 'app', password: secret };
    const dialogue = answerPrompt({ stdin, stdout, stderr }, { spec, plan: planBecome(spec, 'MARK') });
    return { stdin, stdout, stderr, dialogue };
  }

  it('gives the password once, to the prompt alone', async () => {
    const { stdin, stdout, stderr, dialogue } = conversation('sudo', password);
    stdout.write('MARK');
    stderr.write('a lecture\nMA');
    await setImmediate();
    expect(stdin.read()).toBeNull();
    stderr.write('RK');
    await setImmediate();
    expect(String(stdin.read())).toBe('hunter2\n');
    stderr.write('Sorry, try again.\nMARK');
    expect(await dialogue.refused).toMatchObject({ problem: { code: 'become.wrong-password' } });
    expect(stdin.read()).toBeNull();
  });

  it('says that a password is needed where none is set, and answers nothing', async () => {
    const { stdin, stderr, dialogue } = conversation('su');
    stderr.write('Password: ');
    expect(await dialogue.refused).toMatchObject({ problem: { code: 'become.password-required' } });
    expect(stdin.read()).toBeNull();
  });

  it('does not take the question for a new password for a wrong one', async () => {
    const { stderr, dialogue } = conversation('su', password);
    stderr.write('Password: ');
    await setImmediate();
    stderr.write('\nYou are required to change your password immediately.\nCurrent password: ');
    expect(await dialogue.refused).toMatchObject({ problem: { code: 'become.account-expired' } });
  });

  it('listens to nothing where nothing may be asked, and no longer once stopped', async () => {
    const silent = conversation('sudo');
    expect(silent.stderr.listenerCount('data')).toBe(0);
    const { stdin, stderr, dialogue } = conversation('sudo', password);
    dialogue.stop();
    stderr.resume().write('MARK');
    await setImmediate();
    expect(stdin.read()).toBeNull();
  });
});
