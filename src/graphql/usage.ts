import { ValidationError } from '../core/errors.js';
import { type StalenessKind, type Staleness as StalenessShape, stalenessKinds } from '../core/staleness.js';
import {
  intervalLengths,
  intervalStart,
  type UsageInterval,
  type UsagePoint as UsagePointShape,
  type usageIntervals,
} from '../core/usage.js';
import { builder } from './builder.js';
import { callerName } from './context.js';
import { badUserInput } from './errors.js';
import { Flag } from './flag.js';
import { viewerContext } from './viewer.js';

/** The most points of one `usage`: 31 days of hours, and a year of days. */
export const maxUsageHours = 744;
export const maxUsageDays = 366;
/** The most keys that one `reportUsage` may name. */
export const maxReportedKeys = 250;

const mostPoints: Readonly<Record<UsageInterval, number>> = { HOUR: maxUsageHours, DAY: maxUsageDays };

const UsageIntervalEnum = builder.enumType('UsageInterval', {
  description: 'A length of time over which uses are added up.',
  values: {
    HOUR: { description: 'Hours, from one full hour to the next.' },
    DAY: { description: 'Days, from one midnight in UTC to the next.' },
  } satisfies { [Interval in (typeof usageIntervals)[number]]: object },
});

/** The greatest `Int`. */
const mostCounted = 2 ** 31 - 1;

const UsagePoint = builder.objectRef<UsagePointShape>('UsagePoint').implement({
  description: 'The number of questions for a flag in an hour or a day.',
  fields: t => ({
    at: t.field({
      type: 'DateTime',
      description: 'The beginning of the hour or the day.',
      resolve: ({ at }) => new Date(at),
    }),
    count: t.int({
      description: `The number of questions that named the flag; ${mostCounted} stands for any higher number.`,
      resolve: ({ count }) => Math.min(count, mostCounted),
    }),
    reasons: t.field({
      type: 'JSONObject',
      description: 'The same number by reason, such as `{"ROLLOUT": 12, "OUTSIDE_ROLLOUT": 30}`.',
      resolve: ({ reasons }) => reasons,
    }),
    variants: t.field({
      type: 'JSONObject',
      description:
        'The same number by key of the variant, such as `{"on": 12, "off": 30}`. Answers without a variant, of flags whose stored variants or rules are not valid, are left out.',
      resolve: ({ variants }) => variants,
    }),
  }),
});

const kindDescriptions: Readonly<Record<StalenessKind, string>> = {
  FULLY_ON: 'The flag gives everybody the same answer: it is on, with one value.',
  FULLY_OFF: 'The flag is off for everybody.',
  UNUSED: 'Nobody has asked for the flag by its key.',
  EXPIRED: 'The time until which the flag was expected to be needed is past.',
};

const StalenessKindEnum = builder.enumType('StalenessKind', {
  description: 'A reason to remove a flag.',
  values: Object.fromEntries(stalenessKinds.map(kind => [kind, { description: kindDescriptions[kind] }])) as {
    [Kind in StalenessKind]: { description: string };
  },
});

const Staleness = builder.objectRef<StalenessShape>('Staleness').implement({
  description: 'A reason to remove a flag, and since when there is this reason.',
  fields: t => ({
    kind: t.expose('kind', { type: StalenessKindEnum, description: 'The reason.' }),
    since: t.expose('since', {
      type: 'DateTime',
      description:
        'Since when at the latest: the change that gave everybody the same answer, the last question (or the creation of the flag, or the beginning of counting, if that was later), or `expectedUntil`.',
    }),
    isCertain: t.exposeBoolean('isCertain', {
      description:
        'False for `UNUSED` if answers with all flags were given meanwhile, or answers that are not counted: a program may read the flag among them. Let no check fail for such a flag, and do not delete it unseen. Otherwise true.',
    }),
    text: t.exposeString('text', { description: 'The reason in plain English, with what to do.' }),
  }),
});

/** @throws GraphQLError `BAD_USER_INPUT` */
function checkRange(since: Date, until: Date, interval: UsageInterval): void {
  if (until <= since) {
    throw badUserInput({ path: ['until'], message: 'Expected a time after `since`. Default: now.' });
  }
  const points = pointsBetween(since, until, interval);
  if (points > mostPoints[interval]) {
    const unit = interval === 'HOUR' ? 'hours (31 days)' : 'days';
    const remedy = interval === 'HOUR' ? ', or ask with `interval: DAY`' : '';
    throw badUserInput({
      path: ['since'],
      message: `Expected at most ${mostPoints[interval]} ${unit} from \`since\` to \`until\`, found ${points}. Ask for a shorter time${remedy}.`,
    });
  }
}

function pointsBetween(since: Date, until: Date, interval: UsageInterval): number {
  return Math.ceil((until.getTime() - intervalStart(since.getTime(), interval)) / intervalLengths[interval]);
}

builder.prismaObjectFields(Flag, t => ({
  lastAskedAt: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'The time of the last question that named the flag. Null: there was none since the flag was created, as far as questions were counted. It is up to ten seconds late.',
    complexity: { field: 2 },
    select: { id: true },
    resolve: ({ id }, _args, { loaders }) => loaders.lastAsked.load(id),
  }),
  usage: t.field({
    type: [UsagePoint],
    description:
      'The number of questions that named the flag, oldest first. Hours and days without questions are left out. Questions for all flags, streams and anonymous callers are not counted.',
    args: {
      since: t.arg({
        type: 'DateTime',
        required: true,
        description: 'The beginning of the time; the whole hour or day with it counts.',
      }),
      until: t.arg({ type: 'DateTime', description: 'The end of the time, after `since`. Default: now.' }),
      interval: t.arg({
        type: UsageIntervalEnum,
        required: true,
        defaultValue: 'DAY',
        description: `The length of time over which questions are added up: at most ${maxUsageHours} hours (31 days), or ${maxUsageDays} days.`,
      }),
    },
    complexity: ({ interval, since, until }) => ({
      field: 2,
      // Without an end the range may be as long as a range may be.
      multiplier:
        until == null
          ? mostPoints[interval]
          : Math.max(1, Math.min(pointsBetween(since, until, interval), mostPoints[interval])),
    }),
    select: { id: true },
    resolve: async ({ id }, { since, until, interval }, { loaders, service }) => {
      const end = until ?? service.usage.now;
      checkRange(since, end, interval);
      return [...(await loaders.usage.load({ flagId: id, since: since.getTime(), until: end.getTime(), interval }))];
    },
  }),
  staleness: t.field({
    type: [Staleness],
    description:
      'The reasons to remove the flag. Empty: none is known. `FULLY_ON`, `FULLY_OFF` and `UNUSED` are told once they have lasted for the days of the setting `FEATURE_STALE_DAYS`.',
    complexity: { field: 5, multiplier: stalenessKinds.length },
    select: { id: true, key: true, createdAt: true, expectedUntil: true },
    resolve: async (flag, _args, { loaders }) => [...(await loaders.staleness.load(flag))],
  }),
}));

const ReportUsageInput = builder.inputType('ReportUsageInput', {
  description: 'The flags that a client has read from answers that it has.',
  fields: t => ({
    keys: t.stringList({
      required: true,
      description: `The keys of the flags, at most ${maxReportedKeys}. Keys that no flag has are ignored.`,
    }),
  }),
});

const ReportUsagePayload = builder.objectRef<{ readonly counted: number }>('ReportUsagePayload').implement({
  description: 'The report was taken.',
  fields: t => ({
    counted: t.exposeInt('counted', {
      description:
        'The number of flags that were counted. The others do not exist, or were reported by this caller in the same minute.',
    }),
  }),
});

builder.mutationFields(t => ({
  reportUsage: t.field({
    type: ReportUsagePayload,
    description:
      'User, service, admin. Counts flags as used that a client has read from answers to all flags or from a stream, with the reason and the variant that the caller has now. Each flag counts once a minute for each caller. It changes no flag.',
    authScopes: { reporter: true },
    errors: {
      types: [ValidationError],
      union: { name: 'ReportUsageResult', description: 'The number of counted flags, or an error.' },
    },
    args: { input: t.arg({ type: ReportUsageInput, required: true, description: 'The flags that were read.' }) },
    resolve: async (_root, { input }, { service, caller, device, questions }) => {
      if (input.keys.length > maxReportedKeys) {
        const message = `Expected at most ${maxReportedKeys} keys, found ${input.keys.length}.`;
        throw new ValidationError([{ path: ['keys'], message }]);
      }
      const evaluator = await service.evaluator(viewerContext(caller, device), questions.once);
      return { counted: service.usage.report(callerName(caller), input.keys, evaluator) };
    },
  }),
}));
