import type { DockerfileStage, DockerfileStep } from "./dockerfile-step.js";

/** The edge profile: the same service in the smallest image that runs it. */

/** What wheels bring for those who develop with them: tests, headers, stubs, sources of what is compiled. */
export function trimPackages(venv: string): DockerfileStep {
  const packages = `${venv}/lib/python3.*/site-packages`;
  return {
    title: "Trim the packages",
    instruction: [
      `RUN cd ${packages}`,
      // Only the tests themselves: numpy.testing imports numpy._core.tests, and tensorflow.test is no test.
      "find . -path '*/tests/*' -type f -name 'test_*' -delete",
      "find . -depth -type d -path '*/tests/data' -exec rm -rf {} +",
      "find . -depth -type d \\( -name __pycache__ -o -name include \\) -exec rm -rf {} +",
      "find . -type f \\( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' -o -name '*.cu' -o -name '*.js.map' \\) -delete",
      `find ${venv} -depth -exec touch -h -d @315532800 {} +`,
    ].join(" && \\\n    "),
  };
}

/** What the base has for building images from it, and for people; its packages' licences and records stay. */
const trimBase = [
  "RUN rm -rf /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/bash-completion /var/cache/* /var/lib/apt/lists/* /var/log/* /root/.cache",
  "find /usr/share/doc -type f ! -name copyright -delete",
  "find /usr/share/doc -type l -delete",
  "for lib in /usr/local/lib/python3.* /usr/lib/python3.*; do rm -rf $lib/ensurepip $lib/idlelib $lib/tkinter $lib/turtledemo $lib/lib2to3 $lib/pydoc_data $lib/test $lib/site-packages/pip* $lib/site-packages/setuptools* $lib/site-packages/wheel* $lib/config-3.*; done",
  "rm -rf /usr/lib/python3/dist-packages/pip* /usr/lib/python3/dist-packages/setuptools* /usr/lib/python3/dist-packages/wheel* /usr/lib/python3/dist-packages/pkg_resources* /usr/lib/python3/dist-packages/*distutils* /usr/share/python-wheels /usr/local/include /usr/include",
  // Python's own bytecode stays: each health check would compile it again. Nobody runs it with -O.
  "(find /usr/lib/python3* /usr/local/lib/python3* -name '*.opt-?.pyc' -delete 2>/dev/null || true)",
];

/** Perl's modules and the C library's character sets: Python uses neither, but what the user has asked for may. */
const trimUnused =
  "rm -rf /usr/share/perl /usr/share/perl5 /usr/lib/*-linux-gnu/perl /usr/lib/*-linux-gnu/perl5 /usr/lib/*-linux-gnu/gconv";

/**
 * A layer keeps what a later one deletes, so that the last stage starts from nothing and takes over the files that are
 * left: one layer, which shares nothing with other images of the same base.
 */
export function edgeStages(
  base: string,
  content: readonly DockerfileStep[],
  settings: readonly DockerfileStep[],
  hasSystemPackages: boolean,
): DockerfileStage[] {
  const trim = [...trimBase, ...(hasSystemPackages ? [] : [trimUnused])].join(" && \\\n    ");
  return [
    {
      steps: [
        { instruction: `FROM ${base} AS whole` },
        ...content,
        { title: "Trim the base", instruction: trim },
      ],
    },
    {
      steps: [
        { instruction: "FROM scratch" },
        { title: "Copy what is left", instruction: "COPY --from=whole / /" },
        { instruction: "ENV LANG=C.UTF-8" },
        ...settings,
      ],
    },
  ];
}
