import type { PickleGlobal } from "./pickle-values.js";

/**
 * What a pickle would import, sorted by what a user should know of it. This informs, and guards nothing: whoever
 * loads a pickle trusts it. A list of modules that are fine proves nothing, as names with dots lead out of them.
 */
export interface SortedGlobals {
  /** Known to run commands, code or other pickles, or to reach whatever they like. */
  harmful: readonly string[];
  /** Of no library that is known here: the user's own code, or anything. */
  foreign: readonly string[];
  /** Functions of known libraries that models seldom need. */
  unusual: readonly string[];
}

/** By the first part of the module's name. */
const harmfulModules = new Set(
  (
    "os posix nt posixpath ntpath sys subprocess _posixsubprocess pty commands popen2 socket _socket socketserver ssl " +
    "shutil importlib imp zipimport runpy code codeop ctypes _ctypes cffi pickle _pickle cPickle " +
    "marshal multiprocessing concurrent threading _thread signal asyncio webbrowser antigravity http urllib " +
    "urllib2 httplib requests httpx aiohttp ftplib smtplib telnetlib poplib imaplib nntplib paramiko fabric tempfile " +
    "glob fileinput linecache bdb pdb cProfile profile pstats timeit trace doctest pydoc unittest test venv ensurepip " +
    "pip setuptools distutils pkg_resources pkgutil site sitecustomize platform inspect gc atexit faulthandler " +
    "sqlite3 dbm shelve mmap resource lib2to3 idlelib tkinter turtle cgi wsgiref xmlrpc nturl2path " +
    "jsonpickle yaml IPython"
  ).split(" "),
);

/** Built-in names that only make plain values. */
const harmlessBuiltins = new Set(
  "object set frozenset dict list tuple bytearray bytes int float complex bool str slice range xrange unicode long Ellipsis NotImplemented".split(
    " ",
  ),
);

const harmfulNames = new Set([
  "numpy.load",
  "numpy.fromfile",
  "numpy.memmap",
  "numpy.save",
  "numpy.savetxt",
  "numpy.vectorize",
  "numpy.lib.npyio.load",
  "joblib.load",
  "joblib.numpy_pickle.load",
  "joblib.numpy_pickle.dump",
  "joblib.dump",
  "pandas.eval",
  "pandas.read_pickle",
  "pandas.io.pickle.read_pickle",
  "torch.load",
  "torch.serialization.load",
  "torch.hub.load",
  "torch.jit.load",
  "torch.utils.cpp_extension.load",
  "torch.utils.cpp_extension.load_inline",
  "functools.reduce",
  "io.open",
  "io.FileIO",
  "_io.open",
  "_io.FileIO",
  "types.CodeType",
  "types.FunctionType",
]);

const harmfulPrefixes = [
  "numpy.testing",
  "numpy.distutils",
  "numpy.f2py",
  "numpy.ctypeslib",
  "torch.utils.cpp_extension",
];

/** Libraries whose classes are what models are made of. */
const knownLibraries = new Set(
  (
    "numpy scipy sklearn joblib pandas xgboost lightgbm catboost torch torchvision torchaudio transformers tokenizers " +
    "sentence_transformers imblearn category_encoders statsmodels tensorflow keras spacy nltk gensim skops mlxtend " +
    "collections copyreg copy_reg _codecs datetime decimal fractions uuid pathlib numbers enum random"
  ).split(" "),
);

/** Functions with which those libraries build their own values. */
const builders = new Set(
  (
    "_reconstruct _frombuffer scalar dtype ndarray _reconstructor __newobj__ __newobj_ex__ encode OrderedDict " +
    "defaultdict deque __randomstate_ctor __generator_ctor __bit_generator_ctor _ufunc_reconstruct _mareconstruct " +
    "bool bool_ bytes_ str_ float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128 " +
    "datetime date time timedelta timezone _rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter " +
    "_rebuild_parameter_with_state _rebuild_qtensor _rebuild_sparse_tensor _rebuild_device_tensor_from_numpy " +
    "_rebuild_from_type_v2 _unpickle_block new_block _new_Index newObj device size identity expit _csr_matrix csr_matrix csr_array"
  ).split(" "),
);

/** Shown at most; a pickle can name thousands. */
const mostShown = 20;

export function sortGlobals(globals: readonly PickleGlobal[]): SortedGlobals {
  const harmful: string[] = [];
  const foreign: string[] = [];
  const unusual: string[] = [];
  for (const global of globals) {
    if (isHarmful(global)) harmful.push(global.path);
    else if (isForeign(global)) foreign.push(global.path);
    else if (isUnusual(global)) unusual.push(global.path);
  }
  return {
    harmful: harmful.slice(0, mostShown),
    foreign: foreign.slice(0, mostShown),
    unusual: unusual.slice(0, mostShown),
  };
}

function isHarmful({ module, name, path }: PickleGlobal): boolean {
  const library = rootOf(module);
  if (isBuiltin(module)) return !harmlessBuiltins.has(name);
  if (harmfulModules.has(library) || harmfulNames.has(path)) return true;
  if (harmfulPrefixes.some((prefix) => path.startsWith(`${prefix}.`))) return true;
  // `STACK_GLOBAL` follows dots: from `sklearn.utils` to `os.system`
  return name.split(".").some((part) => harmfulModules.has(part) || part.startsWith("__globals__"));
}

function isForeign({ module }: PickleGlobal): boolean {
  return !isBuiltin(module) && !knownLibraries.has(rootOf(module));
}

function isUnusual({ module, name }: PickleGlobal): boolean {
  if (isBuiltin(module)) return false; // those that harm are found already
  if (name.includes(".")) return true;
  // Cython's and pandas' own builders, and classes
  return !/^(_{0,2}[A-Z]|__pyx_unpickle_\w+$|_unpickle_\w+$)/.test(name) && !builders.has(name);
}

function isBuiltin(module: string): boolean {
  return ["builtins", "__builtin__", "__builtins__"].includes(rootOf(module));
}

/** Whether a name of Python's builtins only makes a plain value. */
export function isPlainBuiltin(name: string): boolean {
  return harmlessBuiltins.has(name);
}

export function rootOf(module: string): string {
  const dot = module.indexOf(".");
  return dot < 0 ? module : module.slice(0, dot);
}
