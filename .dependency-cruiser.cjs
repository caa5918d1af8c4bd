// The house: imports only point down. The table of floors is in CONTRIBUTING.md.
const floors = {
  core: [],
  config: ['core'],
  backends: ['core'],
  auth: ['core'],
  features: ['core', 'backends/backend'],
  gate: ['core', 'features'],
  graphql: ['core', 'backends', 'auth', 'features'],
  server: ['core', 'backends', 'auth', 'features', 'graphql'],
};

const floorRules = Object.entries(floors).map(([floor, below]) => ({
  name: `floor-${floor}`,
  severity: 'error',
  comment: `src/${floor} may import ${below.length === 0 ? 'nothing of ours' : below.map(name => `src/${name}`).join(', ')}.`,
  from: { path: `^src/${floor}/` },
  to: {
    path: '^src/',
    pathNot: [`^src/${floor}/`, '^src/generated/', ...below.map(name => `^src/${name}(/|\\.)`)],
  },
}));

module.exports = {
  forbidden: [
    ...floorRules.map(rule =>
      // The composition root is the only floor below the command line that reads the settings.
      rule.name === 'floor-server'
        ? { ...rule, to: { ...rule.to, pathNot: [...rule.to.pathNot, '^src/config(/|\\.ts$)'] } }
        : rule,
    ),
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/generated/' },
      to: { circular: true },
    },
    {
      name: 'generated-stays-out-of-core',
      severity: 'error',
      from: { path: '^src/(core|auth|gate|features)/' },
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
