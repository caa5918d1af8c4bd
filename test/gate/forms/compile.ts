import ts from 'typescript';

/** The two meanings that TypeScript gives to decorators. */
export type Decorators = 'standard' | 'legacy';

/** Compiles a class as a program would; returns what makes the class, given the names that stand free in it. */
export function compileClass(source: string, decorators: Decorators): (scope: Record<string, unknown>) => unknown {
  const name = /class (\w+)/.exec(source)?.[1];
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: decorators === 'legacy',
    },
  });
  return scope => new Function(...Object.keys(scope), `${outputText}; return ${name};`)(...Object.values(scope));
}
