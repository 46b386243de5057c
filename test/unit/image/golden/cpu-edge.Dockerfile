FROM python:3.12-slim-bookworm AS dependencies
WORKDIR /build
ENV PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
RUN python3 -m venv --without-pip /opt/venv
COPY runtime/ /build/runtime/
RUN --mount=type=cache,id=modelship-pip,target=/root/.cache/pip \
    --mount=type=secret,id=modelship_install \
    --mount=type=secret,id=modelship_ca \
    if [ -f /run/secrets/modelship_install ]; then . /run/secrets/modelship_install; fi; python3 -m pip --python /opt/venv/bin/python install --no-compile --require-hashes -r runtime/requirements.txt
COPY requirements/ /build/requirements/
RUN --mount=type=cache,id=modelship-pip,target=/root/.cache/pip \
    --mount=type=secret,id=modelship_install \
    --mount=type=secret,id=modelship_ca \
    if [ -f /run/secrets/modelship_install ]; then . /run/secrets/modelship_install; fi; cd requirements && \
    python3 -m pip --python /opt/venv/bin/python install --no-compile -c ../runtime/constraints.txt -r requirements.txt
RUN cd /opt/venv/lib/python3.*/site-packages && \
    find . -path '*/tests/*' -type f -name 'test_*' -delete && \
    find . -depth -type d -path '*/tests/data' -exec rm -rf {} + && \
    find . -depth -type d \( -name __pycache__ -o -name include \) -exec rm -rf {} + && \
    find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' -o -name '*.cu' -o -name '*.js.map' \) -delete && \
    find /opt/venv -depth -exec touch -h -d @315532800 {} +

FROM python:3.12-slim-bookworm AS whole
COPY --from=dependencies /opt/venv /opt/venv
COPY service/ /opt/modelship/
COPY app/ /app/
RUN rm -rf /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/bash-completion /var/cache/* /var/lib/apt/lists/* /var/log/* /root/.cache && \
    find /usr/share/doc -type f ! -name copyright -delete && \
    find /usr/share/doc -type l -delete && \
    for lib in /usr/local/lib/python3.* /usr/lib/python3.*; do rm -rf $lib/ensurepip $lib/idlelib $lib/tkinter $lib/turtledemo $lib/lib2to3 $lib/pydoc_data $lib/test $lib/site-packages/pip* $lib/site-packages/setuptools* $lib/site-packages/wheel* $lib/config-3.*; done && \
    rm -rf /usr/lib/python3/dist-packages/pip* /usr/lib/python3/dist-packages/setuptools* /usr/lib/python3/dist-packages/wheel* /usr/lib/python3/dist-packages/pkg_resources* /usr/lib/python3/dist-packages/*distutils* /usr/share/python-wheels /usr/local/include /usr/include && \
    (find /usr/lib/python3* /usr/local/lib/python3* -name '*.opt-?.pyc' -delete 2>/dev/null || true) && \
    rm -rf /usr/share/perl /usr/share/perl5 /usr/lib/*-linux-gnu/perl /usr/lib/*-linux-gnu/perl5 /usr/lib/*-linux-gnu/gconv

FROM scratch
COPY --from=whole / /
ENV LANG=C.UTF-8
WORKDIR /app
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/modelship \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MODELSHIP_NAME=digits \
    MODELSHIP_VERSION=0.1.0 \
    MODELSHIP_ENTRY=model.py:Model \
    MODELSHIP_FILES=/app/model \
    MODELSHIP_PORT=8080 \
    MODELSHIP_TIMEOUT_S=30 \
    MODELSHIP_QUEUE_MAX_ROWS=256 \
    MODELSHIP_BATCH_MAX_ROWS=32 \
    MODELSHIP_BATCH_MAX_DELAY_MS=0 \
    MODELSHIP_WORKERS=1 \
    MODELSHIP_MAX_BODY_BYTES=16777216 \
    MODELSHIP_MAX_DECODED_BYTES=67108864 \
    MODELSHIP_MAX_ROWS=1024 \
    MODELSHIP_MAX_JSON_DEPTH=64 \
    MODELSHIP_MAX_CONNECTIONS=4096 \
    MODELSHIP_MAX_STREAMS=64 \
    MODELSHIP_JOBS_MAX=256 \
    MODELSHIP_JOBS_TTL_S=3600 \
    MODELSHIP_JOB_TIMEOUT_S=3600 \
    MODELSHIP_WARM_UP=1 \
    MODELSHIP_PLAYGROUND=0
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["/opt/venv/bin/python", "-m", "modelship_service.health"]
ENTRYPOINT ["/opt/venv/bin/python", "-m", "modelship_service"]
