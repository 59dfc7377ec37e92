import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../../reconciler/policy/settings.ts';

const one = (lines: string) =>
  `[environments.production]\nbranch = "main"\ninventory = "inventory/p.toml"\n${lines}`;

function environment(lines: string) {
  const result = loadSettings('towline.toml', one(lines));
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.value.environments[0];
}

function problems(text: string): string[] {
  const result = loadSettings('towline.toml', text);
  if (result.ok) return [];
  return result.problems.map(
    ({ code, message, where }) => `${where?.file}:${where?.line}:${where?.column} ${code} ${message}`,
  );
}

describe('towline.toml', () => {
  it('gives what the design shows', () => {
    const result = loadSettings(
      'towline.toml',
      `# which branch drives which hosts
[environments.production]
branch = "main"
inventory = "inventory/production.toml"
roles = ["base", "web"]
drift = { mode = "correct", schedule = "*/30 * * * *", timezone = "Europe/Berlin", spread = "5m" }

[environments.preview]
branch = "feature/*"
inventory = "inventory/"
expires = "3d"
`,
    );
    expect(result).toEqual({
      ok: true,
      value: {
        environments: [
          {
            name: 'production',
            branch: 'main',
            inventory: 'inventory/production.toml',
            roles: ['base', 'web'],
            drift: {
              mode: 'correct',
              schedule: '*/30 * * * *',
              timezone: 'Europe/Berlin',
              spreadSeconds: 300,
            },
            pollSeconds: 60,
            expiresSeconds: undefined,
            parallel: 20,
            place: { file: 'towline.toml', line: 2, column: 15 },
          },
          {
            name: 'preview',
            branch: 'feature/*',
            inventory: 'inventory',
            roles: [],
            drift: { mode: 'report', schedule: '*/30 * * * *', timezone: 'UTC', spreadSeconds: 0 },
            pollSeconds: 60,
            expiresSeconds: 259_200,
            parallel: 20,
            place: { file: 'towline.toml', line: 8, column: 15 },
          },
        ],
      },
    });
  });

  it('takes every setting', () => {
    expect(environment('poll = "0s"\nparallel = 1')).toMatchObject({ pollSeconds: 0, parallel: 1 });
    expect(environment('drift = { mode = "off" }')?.drift).toEqual({
      mode: 'off',
      schedule: '*/30 * * * *',
      timezone: 'UTC',
      spreadSeconds: 0,
    });
  });

  it('declares nothing when it is empty', () => {
    expect(loadSettings('towline.toml', '')).toEqual({ ok: true, value: { environments: [] } });
  });

  it.each([
    ['syntax', '[environments', ['1:2 inventory.bad-toml']],
    [
      'an unknown section',
      '[environment.x]',
      ['1:2 settings.unknown-key unknown key "environment" at the top; did you mean "environments"?'],
    ],
    [
      'an unknown key',
      one('rolse = []'),
      ['4:1 settings.unknown-key unknown key "rolse" in environments.production; did you mean "roles"?'],
    ],
    [
      'an unknown drift key',
      one('drift = { mod = "off" }'),
      ['4:11 settings.unknown-key unknown key "mod" in environments.production.drift; did you mean "mode"?'],
    ],
    [
      'missing keys',
      '[environments.x]',
      [
        '1:15 settings.bad-value environments.x.branch is missing',
        '1:15 settings.bad-value environments.x.inventory is missing',
      ],
    ],
    [
      'an environment that is no table',
      'environments.x = 1',
      ['1:14 settings.bad-value environments.x must be a table with branch, inventory, roles …'],
    ],
    [
      'environments that are no table',
      'environments = 1',
      ['1:1 settings.bad-value environments must be a table of environments'],
    ],
    [
      'a name with a slash',
      '[environments."a/b"]\nbranch = "m"\ninventory = "i"',
      [
        '1:15 settings.bad-value "a/b" is not a possible name of an environment: letters, digits and . _ - are, up to 100 of them',
      ],
    ],
    [
      'an empty list of roles',
      one('roles = []'),
      [
        '4:1 settings.bad-value environments.production.roles is an empty list; leave it out for every role of the policy',
      ],
    ],
    [
      'a role twice',
      one('roles = ["a", "a"]'),
      ['4:1 settings.bad-value environments.production.roles names a role twice'],
    ],
    [
      'a role that is no name',
      one('roles = ["a", "../b"]'),
      [
        '4:15 settings.bad-value environments.production.roles.1 must be the name of a role: letters, digits and . _ -',
      ],
    ],
    [
      'a drift mode',
      one('drift.mode = "fix"'),
      ['4:7 settings.bad-value environments.production.drift.mode must be "off", "report", "correct"'],
    ],
    [
      'a drift of another type',
      one('drift = "off"'),
      [
        '4:1 settings.bad-value environments.production.drift must be a table with mode, schedule, timezone and spread',
      ],
    ],
    [
      'a schedule of six fields',
      one('drift = { schedule = "* * * * * *" }'),
      [
        '4:11 settings.bad-value environments.production.drift.schedule must be a cron expression of five fields, such as "*/30 * * * *"',
      ],
    ],
    [
      'a schedule with a nickname',
      one('drift = { schedule = "@daily" }'),
      [
        '4:11 settings.bad-value environments.production.drift.schedule must be a cron expression of five fields, such as "*/30 * * * *"',
      ],
    ],
    [
      'a schedule out of range',
      one('drift = { schedule = "61 * * * *" }'),
      [
        '4:11 settings.bad-value environments.production.drift.schedule must be a cron expression of five fields, such as "*/30 * * * *"',
      ],
    ],
    [
      'a time zone',
      one('drift = { timezone = "Europe/Atlantis" }'),
      [
        '4:11 settings.bad-value environments.production.drift.timezone must be a time zone such as "UTC" or "Europe/Berlin"',
      ],
    ],
    [
      'a duration',
      one('poll = "5 minutes"'),
      ['4:1 settings.bad-value environments.production.poll must be a duration such as "90s", "5m" or "3d"'],
    ],
    [
      'a duration without a unit',
      one('poll = 60'),
      ['4:1 settings.bad-value environments.production.poll must be a duration such as "90s", "5m" or "3d"'],
    ],
    [
      'an end of a fixed branch',
      one('expires = "3d"'),
      [
        '4:1 settings.bad-value environments.production.expires is for branch patterns only: a fixed branch does not end by itself',
      ],
    ],
    [
      'an end at once',
      '[environments.x]\nbranch = "*"\ninventory = "i"\nexpires = "0s"',
      ['4:1 settings.bad-value environments.x.expires must be longer than nothing'],
    ],
    [
      'too much at once',
      one('parallel = 0'),
      ['4:1 settings.bad-value environments.production.parallel must be a whole number from 1 to 1000'],
    ],
    [
      'half a host at once',
      one('parallel = 1.5'),
      ['4:1 settings.bad-value environments.production.parallel must be a whole number from 1 to 1000'],
    ],
  ])('says where a mistake is: %s', (_, text, expected) => {
    const found = problems(text);
    expect(found).toHaveLength(expected.length);
    for (const [index, wanted] of expected.entries()) {
      expect(found[index]?.startsWith(`towline.toml:${wanted}`) ? '' : found[index]).toBe('');
    }
  });

  it.each([
    'a*b*',
    'a b',
    '-a',
    'a..b',
    'a/',
    '/a',
    'a.lock',
    'a/.b',
    'a:b',
    '',
    'x~1',
    'a@{b',
    'a//b',
    'a\\\\b',
  ])('refuses %j as a branch', (branch) => {
    expect(problems(`[environments.x]\ninventory = "i"\nbranch = "${branch}"`)[0]).toMatch(
      /^towline.toml:3:1 /,
    );
  });

  it.each(['/etc/x', '../x', 'a/../b', './a', 'a//b', '', 'a\\\\b'])(
    'refuses %j as an inventory',
    (inventory) => {
      const text = `[environments.x]\ninventory = "${inventory}"\nbranch = "main"`;
      expect(problems(text)).toEqual([
        'towline.toml:2:1 settings.bad-value environments.x.inventory must be a path inside the policy repository, with forward slashes',
      ]);
    },
  );

  it('reports everything at once', () => {
    expect(problems(one('poll = 1\nparallel = 0\nx = 1\ndrift = { mode = "x", y = 1 }'))).toHaveLength(5);
  });
});
