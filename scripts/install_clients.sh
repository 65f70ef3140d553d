#!/usr/bin/env bash
# Installs what tests/clients runs beside Python: Amazon's SDK for JavaScript, and Ruby with Amazon's gems.
# What is there already stays as it is; what cannot be installed here is left out, and its tests skip.
set -euo pipefail
cd "$(dirname "$0")/../tests/clients/javascript"

if ! command -v npm > /dev/null; then
    echo 'npm is not here: the JavaScript client is left out'
elif ! cmp -s package-lock.json node_modules/.installed; then
    npm ci --no-audit --no-fund --silent
    cp package-lock.json node_modules/.installed
fi

if ruby -e 'require "aws-sdk-s3"' 2> /dev/null; then
    exit
elif [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends ruby ruby-aws-sigv4 ruby-aws-sdk-s3 > /dev/null
else
    echo 'Ruby with aws-sdk-s3 is not here, and only root may install it by apt-get: the Ruby client is left out'
fi
