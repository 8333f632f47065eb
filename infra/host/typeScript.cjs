// Has this process read TypeScript, by tsx's part for `require`: that for `import()` runs a thread.
// JavaScript stays Node's own to read. tsx looks into each file of node_modules, too, for what Node
// might not know, which takes longer than all that this project has itself.
const { ".js": javaScript } = require.extensions;
require("tsx/cjs");
require.extensions[".js"] = javaScript;
