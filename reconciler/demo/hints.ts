/**
 * What the demo says around the tour: what this is, what to edit while it watches, and what to try next when it ends.
 * Invariant: every line can be copied and run as it stands.
 * Pure.
 */

import { join, relative } from 'node:path';
import { packageFile } from '../base/package-file.ts';
import { type Line, toned } from '../report/line.ts';
import type { DemoHost } from './demo-hosts.ts';
import type { Saying } from './narrator.ts';

interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the person is. */
  readonly directory: string;
}

interface Place {
  readonly policy: string;
  readonly hosts: readonly DemoHost[];
}

/** What this is. */
export function welcome(): Saying {
  return {
    data: { title: 'Towline demo' },
    lines: [
      [toned('strong', 'Towline brings hosts to what a repository says, over SSH.')],
      ['A short tour on this machine: nothing outside a folder of its own is touched.'],
    ],
  };
}

/** What to edit, and where to see it arrive. */
export function editHints({ policy, hosts }: Place): Saying {
  const web = hosts.find(({ group }) => group === 'web');
  const notice = join(policy, 'roles/base/files/policy.txt');
  const site = join(policy, 'roles/web/files/site/index.html');
  const arrives = join(web?.root ?? '', 'web/site/index.html');
  return {
    data: { policy, edit: [notice, site], arrives },
    lines: [
      ['In another terminal, or with your editor:'],
      [],
      [toned('accent', `echo 'Hello, three hosts.' >> ${notice}`)],
      [toned('accent', `echo '<p>Hello.</p>' >> ${site}`)],
      [toned('accent', `cat ${arrives}`)],
      [],
      ['Or break a role.ts and mend it again. Ctrl-C ends the demo.'],
    ],
  };
}

/** Goodbye: what is left, and what to try next. */
export function farewell({ environment, directory }: Surroundings, kept: string | undefined): Saying {
  const towline = commandName(environment);
  const lookBack =
    kept === undefined
      ? []
      : [
          [
            `${towline} history --repo ${join(kept, 'policy')} --state ${join(kept, 'state')}`,
            'what was done',
          ] as const,
        ];
  const next = [
    ...lookBack,
    [`${towline} init fleet`, 'a policy repository for hosts of your own'],
    [`${towline} --help`, 'every command'],
    [shortest(packageFile('docs/guides/five-minutes.md'), directory), 'from there to the first host'],
  ] as const;
  const width = Math.max(...next.map(([line]) => line.length));
  const left = kept === undefined ? 'The hosts and everything they held are gone.' : `Kept: ${kept}`;
  return {
    data: { kept: kept ?? null, next: next.map(([line]) => line) },
    lines: [
      [toned('strong', 'That was the tour. '), left],
      [],
      ['Next'],
      ...next.map(
        ([line, does]): Line => ['  ', toned('accent', line.padEnd(width)), '  ', toned('dim', does)],
      ),
    ],
  };
}

/** A path as a person in `directory` would write it. */
function shortest(path: string, directory: string): string {
  const from = relative(directory, path);
  return from.length < path.length ? from : path;
}

/** How the person called us: through npm in a checkout, or as a program. */
function commandName({ npm_lifecycle_event: script }: Readonly<Record<string, string | undefined>>): string {
  if (script === 'npx') return 'npx towline';
  return script === undefined ? 'towline' : 'npm run towline --';
}
