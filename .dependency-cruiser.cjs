// The layers: imports only point down. The table is in CONTRIBUTING.md.
const layers = {
  core: [],
  streams: [],
  config: ['core'],
  backends: ['core', 'streams'],
  auth: ['core'],
  features: ['core', 'streams', 'backends/backend'],
  gate: ['core', 'streams', 'features'],
  graphql: ['core', 'backends', 'auth', 'features'],
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

module.exports = {
  forbidden: [
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
      from: { path: '^src/', pathNot: '^src/generated/' },
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
      comment: 'src imports what package.json lists under dependencies.',
      from: { path: '^src/', pathNot: '^src/generated/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
    { name: 'tests-stay-outside', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|demo|bench)/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
