# syntax=docker/dockerfile:1

FROM golang:1.26.5-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./worker ./starter ./deploy/healthcheck

# The simulated world, for trying atlas-cmk without any account: docker build --target simulator
FROM build AS build-simulator
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/ ./testsuite/simulator

FROM gcr.io/distroless/static-debian12:nonroot AS simulator
COPY --from=build-simulator /out/simulator /out/healthcheck /
ENTRYPOINT ["/simulator"]

# The worker, and the starter beside it: docker run --entrypoint /starter ...
FROM gcr.io/distroless/static-debian12:nonroot AS worker
COPY --from=build /out/worker /out/starter /out/healthcheck /
# Within a container, loopback would hide health and metrics from whoever runs it.
ENV ATLAS_CMK_HEALTH_ADDRESS=:8090
EXPOSE 8090
ENTRYPOINT ["/worker"]
