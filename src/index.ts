/** Feature flags inside your own program. A server is started by the command line, or from `halyard/server`. */

export type {
  Author,
  Backend,
  Change as StoredChange,
  ChangeKind,
  ChangePage,
  Definitions,
  Guard,
  LogCriterion,
  LogFound,
  LogSearch,
  NewOverride,
  Override,
  Step,
  TargetedUser,
  Targeting,
  TargetingNeeds,
  User,
  Written,
} from './backends/backend.js';
export { MemoryBackend } from './backends/memory.js';
export type { Seed } from './backends/seed.js';
export type { Attributes } from './core/attributes.js';
export type { ConditionOutcome } from './core/condition-trace.js';
export { isDevice } from './core/device.js';
export type { Difference } from './core/differences.js';
export {
  type ClosedAnswer,
  type Conflict,
  ConflictsError,
  CrossedError,
  FeatureDisabledError,
  FeatureError,
  FlagExistsError,
  FlagNotFoundError,
  type Issue,
  RevisionNotFoundError,
  UnavailableError,
  ValidationError,
  VersionConflictError,
} from './core/errors.js';
export type { Evaluation, EvaluationReason } from './core/evaluate.js';
export type { Explanation } from './core/explain.js';
export type { EvaluationStep, ExplanationStep, StepOutcome, ToldOverride } from './core/explain-steps.js';
// With a star: an interface that is exported by name cannot be filled in from outside.
export type * from './core/feature-key.js';
export type { Flag, FlagDefinition, FlagRule, FlagValues, Share, ValueType, Variant } from './core/flag.js';
export type {
  ApplyDefinitionsInput,
  CreateFlagInput,
  DeleteFlagInput,
  DeleteUserInput,
  FlagPatch,
  GroupInput,
  NewFlag,
  RemoveOverrideInput,
  RevertFlagInput,
  SetOverrideInput,
  SetUserAttributesInput,
  UndoBatchInput,
  UpdateFlagInput,
  UpdateFlagsInput,
} from './core/inputs.js';
export type { Json, JsonObject } from './core/json.js';
export type { Log } from './core/log.js';
export { rolloutBucket } from './core/rollout.js';
export type { OverrideDecision, Subject } from './core/subject.js';
export { type CreateFeaturesOptions, createFeatures } from './create-features.js';
export type { ChangeFilter } from './features/change-filter.js';
export type { Change, ChangesOptions } from './features/changes.js';
export type { FeatureExplanation } from './features/evaluator.js';
export type { AppliedDefinitions, By, ByInSlices, Features, FeatureUser } from './features/features.js';
export type { OnEvaluation } from './features/observer.js';
export type { FlagPreview, Population } from './features/preview.js';
export type { FeaturesUpdate } from './features/subscriber.js';
export type { FeaturesSnapshot, RequireOptions, SnapshotAnswer, UserFeatures } from './features/user-features.js';
export type { ForOptions, UpdatesOptions, WatchListener, WatchOptions } from './features/watch.js';
export type { GateOptions } from './gate/gate.js';
export { type AnyGate, type Gate, type RequireFeatureOptions, requireFeature } from './gate/require-feature.js';
export type { Stop } from './streams/stop.js';
