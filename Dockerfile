# The same lock file and the same steps as `make install`, in an image that runs as a plain user.
FROM python:3.12-slim-bookworm

# libgomp: LightGBM and xgboost. make: the demo and the tests.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 adaptive \
    && mkdir /adaptive && chown adaptive:adaptive /adaptive

USER adaptive
WORKDIR /adaptive

# dependencies first: they change less often than the code
COPY --chown=adaptive:adaptive requirements.lock requirements-uv.lock ./
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock \
    && .venv/bin/uv pip install --system-certs --no-cache --python .venv/bin/python --require-hashes -r requirements.lock

COPY --chown=adaptive:adaptive pyproject.toml README.md Makefile ./
COPY --chown=adaptive:adaptive adaptive_pkg adaptive_pkg
COPY --chown=adaptive:adaptive user_data user_data
RUN .venv/bin/uv pip install --system-certs --python .venv/bin/python --no-deps --no-build-isolation --editable . \
    && touch .venv/.ready

ENV PATH="/adaptive/.venv/bin:$PATH"

ENTRYPOINT ["freqtrade"]
CMD ["trade", "--strategy", "AdaptiveGRU"]
