// The import map of a page, for Node.js: where phoenix-msgpack.mjs, which lies
// outside of this folder, finds the library.
export function resolve(specifier, context, next) {
  const from = specifier === "@msgpack/msgpack" ? { ...context, parentURL: import.meta.url } : context;
  return next(specifier, from);
}
