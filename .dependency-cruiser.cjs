// The layers: imports only point down. The table is in CONTRIBUTING.md.
const layers = {
  core: [],
  streams: [],
  config: ['core'],
  backends: ['core', 'streams'],
  auth: ['core', 'streams'],
  features: ['core', 'streams', 'backends/backend'],
  gate: ['core', 'streams', 'features'],
  openfeature: ['core', 'features'],
  graphql: ['core', 'streams', 'backends', 'auth', 'features'],
  server: ['core', 'streams', 'backends', 'auth', 'features', 'graphql'],
};

const layerRules = Object.entries(layers).map(([layer, below]) => ({
  name: `layer-${layer}`,
  severity: 'error',
  comment: `src/${layer} may import ${below.length === 0 ? 'nothing of ours' : below.map(name => `src/${name}`).join(', ')}.`,
  from: { path: `^src/${layer}/` },
  to: {
    path: '^src/',
    pathNot: [`^src/${layer}/`, '^src/generated/', ...below.map(name => `^src/${name}(/|\\.)`)],
  },
}));

/** The rooms of src/server, from the top; each may import those after it. */
const rooms = [
  ['index', 'server'],
  ['listener', 'operator-listener', 'router'],
  ['protocols'],
  ['operations'],
  ['http', 'metrics'],
];

const roomRules = rooms.slice(1).map((room, index) => ({
  name: `room-${room[0]}`,
  severity: 'error',
  comment: `src/server/${room.join(', ')} may import no room above.`,
  from: { path: `^src/server/(${room.join('|')})(/|\\.ts$)` },
  to: {
    path: `^src/server/(${rooms
      .slice(0, index + 1)
      .flat()
      .join('|')})(/|\\.ts$)`,
  },
}));

/** The layers of the console, from the top; each may import those after it. `words` and `draft` know no React. */
const consoleLayers = ['main', 'app', 'screens', 'parts', 'data', 'draft', 'words'];

const consoleRules = consoleLayers.slice(1).map((layer, index) => ({
  name: `console-${layer}`,
  severity: 'error',
  comment: `packages/console/src/${layer} may import ${consoleLayers.slice(index + 1).join(', ')}.`,
  from: { path: `^packages/console/src/${layer}/` },
  to: { path: `^packages/console/src/(${consoleLayers.slice(0, index + 1).join('|')})(/|\\.tsx?$)` },
}));

const screensStandAlone = {
  name: 'console-screens-stand-alone',
  severity: 'error',
  comment: 'A screen imports no other screen: what two need is a part.',
  from: { path: '^packages/console/src/screens/([^/]+)/' },
  to: { path: '^packages/console/src/screens/', pathNot: '^packages/console/src/screens/$1/' },
};

const pureLayers = {
  name: 'console-words-and-draft-are-pure',
  severity: 'error',
  from: { path: '^packages/console/src/(words|draft)/' },
  to: { pathNot: '^packages/console/src/(words|draft)/' },
};

module.exports = {
  forbidden: [
    ...consoleRules,
    screensStandAlone,
    pureLayers,
    ...layerRules.map(rule =>
      // The composition root is the only layer below the command line that reads the settings.
      rule.name === 'layer-server'
        ? { ...rule, to: { ...rule.to, pathNot: [...rule.to.pathNot, '^src/config(/|\\.ts$)'] } }
        : rule,
    ),
    ...roomRules,
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^(src|packages/[^/]+/src)/', pathNot: '^src/generated/' },
      to: { circular: true },
    },
    {
      name: 'generated-stays-out-of-core',
      severity: 'error',
      from: { path: '^src/(core|streams|auth|gate|features)/' },
      to: { path: '^src/generated/' },
    },
    {
      name: 'only-own-dependencies',
      severity: 'error',
      comment: 'src imports what package.json lists under dependencies, and src/openfeature its peer.',
      from: { path: '^src/', pathNot: '^src/generated/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'],
        dependencyTypesNot: ['npm-peer'],
      },
    },
    {
      name: 'tests-stay-outside',
      severity: 'error',
      from: { path: '^(src|packages/[^/]+/src)/' },
      to: { path: '^(test|demo|bench|packages/[^/]+/test)/' },
    },
    {
      name: 'packages-know-the-public-contract-alone',
      severity: 'error',
      comment: 'What is shipped to browsers must not bring the server along.',
      from: { path: '^packages/([^/]+)/src/' },
      to: { path: '^(src|packages)/', pathNot: '^packages/$1/src/' },
    },
    {
      name: 'src-knows-no-packages',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^packages/' },
    },
    {
      name: 'client-has-no-dependencies',
      severity: 'error',
      comment: 'Each entry point may import what it is made for, and nothing else.',
      from: { path: '^packages/client/src/' },
      to: { dependencyTypesNot: ['local', 'type-only'], pathNot: '^node_modules/(@types/)?(react|@openfeature)/' },
    },
    {
      name: 'client-entry-points-stay-apart',
      severity: 'error',
      comment:
        'A page loads only the entry points that it imports; what they share is in files of its own. Types cost nothing.',
      from: { path: '^packages/client/src/([^/.]+)\\.tsx?$' },
      to: {
        path: '^packages/client/src/(share|ws|react|openfeature|usage)\\.tsx?$',
        pathNot: '^packages/client/src/$1\\.',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'client-entry-points-leave-the-core',
      severity: 'error',
      comment: 'They are given a client, or give it a part.',
      from: { path: '^packages/client/src/(share|ws|react|openfeature|usage)\\.tsx?$' },
      to: {
        path: '^packages/client/src/(index|client|connection|event-stream|storage|answers|environment)\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
