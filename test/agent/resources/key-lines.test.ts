import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editKeys, parseKeyLine } from '../../../agent/resources/key-lines.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBhY3Ru5';
const other = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDother bob@home';
const present = { user: 'a', state: 'present' as const, key };

describe('keys in an authorized_keys file', () => {
  it('are found behind options with quotes, blanks and escaped quotes', () => {
    const options = String.raw`command="echo \"ssh-rsa AAAA\" done",no-pty`;
    expect(parseKeyLine(`${options}  ${key} a comment `)).toEqual({
      options,
      identity: key,
      comment: 'a comment',
    });
  });

  it('are not seen in comments, blank lines and other text', () => {
    for (const line of ['', '  ', `# ${key}`, 'no key here', 'from="unclosed ssh-rsa AAAA']) {
      expect(parseKeyLine(line), line).toBeUndefined();
    }
  });

  it('keep a comment and options that the wish leaves out', () => {
    const text = `# mine\nno-pty ${key} old\n`;
    expect(editKeys(text, present).text).toBe(text);
    expect(editKeys(text, { ...present, key: `${key} new` }).text).toBe(`# mine\nno-pty ${key} new\n`);
    expect(editKeys(text, { ...present, options: 'restrict' }).text).toBe(`# mine\nrestrict ${key} old\n`);
  });

  it('stand once, however often they stood there', () => {
    expect(editKeys(`${key}\n${other}\n${key} again\n`, present).text).toBe(`${key}\n${other}\n`);
  });

  it('leave with exclusive, while comments stay', () => {
    const edit = editKeys(`# team\n${other}\n`, { ...present, exclusive: true });
    expect(edit).toEqual({ text: `# team\n${key}\n`, isPresent: false, others: 1 });
  });

  it('are added below a last line without an end', () => {
    expect(editKeys(other, present).text).toBe(`${other}\n${key}\n`);
  });

  it('reach a text that a second edit leaves alone, with all other lines kept', () => {
    const line = fc.constantFrom(
      key,
      `no-pty ${key}`,
      `${key} c`,
      other,
      '# note',
      '',
      'junk "',
      `\t${other}`,
    );
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom('present', 'absent'), (lines, state) => {
        const text = lines.map((each) => `${each}\n`).join('');
        const wanted = { ...present, state };
        const once = editKeys(text, wanted);
        expect(editKeys(once.text, wanted).text).toBe(once.text);
        const strangers = (all: string) => all.split('\n').filter((each) => !each.includes(key));
        expect(strangers(once.text)).toEqual(strangers(text));
      }),
    );
  });
});
