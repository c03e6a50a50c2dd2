# The app in a container; how to run it is in docs/hosting.md.
FROM python:3.11-slim-bookworm

# A user without rights, of a number that a host can give a volume to.
RUN useradd --uid 10001 --create-home app && install --directory --owner=app /data
WORKDIR /app

# First what changes seldom, so that it is not installed anew with every change of the code.
# Wheels only: nothing is built, so nothing to build with has to be there. The second file is
# for those who keep their runs in Postgres or train on a cluster.
COPY requirements.txt requirements-cluster.txt ./
RUN pip install --no-cache-dir --only-binary=:all: -r requirements.txt -r requirements-cluster.txt

COPY CHANGELOG.md LICENSE NOTICE.md dashboard.py ./
COPY .streamlit/config.toml .streamlit/
COPY mnist_core mnist_core
COPY pages pages

# The welcome would ask another host for this one's address.
ENV STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none \
    STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true \
    MNIST_DATABASE_URL=sqlite:////data/runs.db \
    KERAS_HOME=/data/keras \
    PYTHONUNBUFFERED=1
USER 10001
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
# As the first process, and not through a shell, so that it hears that it shall end.
CMD ["streamlit", "run", "dashboard.py"]
