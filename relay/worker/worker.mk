# Builds mediasoup's worker with Debian's libraries: what worker/meson.build and its subprojects would do with the
# network. Run in the build folder that batches.sh has filled; W is the package's worker folder, H the one of this file.
FBS := $(patsubst $(W)/fbs/%.fbs,fbs/FBS/%.h,$(wildcard $(W)/fbs/*.fbs))
OBJECTS := $(patsubst batch/%.cpp,object/%.o,$(wildcard batch/*.cpp))

CXXFLAGS ?= -O3 -g0
CXXFLAGS += -std=c++20 -DNDEBUG -DMS_LITTLE_ENDIAN -DMS_EXECUTABLE -DFLATBUFFERS_LOCALE_INDEPENDENT=1 -pthread -w
# The shims come first: their <srtp.h> stands in front of Debian's.
CPPFLAGS += -I$(H)/shims -Ifbs -I$(W)/include -I$(W)/deps/libwebrtc -I$(W)/deps/libwebrtc/libwebrtc

# Static where Debian's archive asks for nothing else: the binary then needs only libnss3 on the machine it runs on.
LIBS := -lsrtp2 -lssl -lcrypto -luv_a -lflatbuffers -labsl_strings -labsl_bad_optional_access -labsl_raw_logging_internal -labsl_throw_delegate

mediasoup-worker: $(OBJECTS)
	$(CXX) -pthread -o $@.part $^ -Wl,-Bstatic $(LIBS) -Wl,-Bdynamic -lnss3 -lnspr4 -ldl
	strip $@.part
	mv $@.part $@

object/%.o: batch/%.cpp | $(FBS)
	@mkdir -p $(@D)
	$(H)/compile.sh $< $@ $(CXX) $(CPPFLAGS) $(CXXFLAGS)

fbs/FBS/%.h: $(W)/fbs/%.fbs
	flatc --cpp --cpp-field-case-style lower --reflect-names --scoped-enums --filename-suffix '' -o $(@D)/part $<
	mv $(@D)/part/$(@F) $@
