"""One port: Amazon ML's API, S3, REST; each door turns a request into a response and knows nothing of the others."""
